"""What `shipway dev` keeps in a clone: the folder `.shipway/dev`, which git does not see."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shipway import appfile
from shipway.appfile.model import Product
from shipway.kit import errors
from shipway.local import model

FILE = "shipway.toml"


class Clone:
    """A clone of an app, by the folder of its `shipway.toml`."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.folder = root / ".shipway" / "dev"

    @classmethod
    def around(cls, folder: pathlib.Path) -> Clone:
        """Return the clone that a folder is in. Raises `errors.NotFound`."""
        for place in (folder, *folder.parents):
            if (place / FILE).is_file():
                return cls(place.resolve())
        raise errors.NotFound(
            f"There is no {FILE} here, so it is not known what to run.",
            fix="Go into the app's clone; `shipway init` writes the file where there is none.",
        )

    def product(self) -> Product:
        """Read the `shipway.toml`. Raises `errors.Invalid` with every problem."""
        return appfile.parse((self.root / FILE).read_text())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the clone: its database and ports are for one. Raises `errors.Conflict`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder.parent / ".gitignore").write_text("*\n")
        with (self.folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise errors.Conflict(
                    f"`shipway dev` runs in this clone already, as process {lock.read().strip()}.",
                    fix="End that one with Ctrl-C first.",
                ) from error
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def given(self, product: Product) -> dict[str, str]:
        """Return what `.env` says: the one beside `shipway.toml`, then the server's own."""
        folders = [self.root, *([self.root / product.server.folder] if product.server else [])]
        found: dict[str, str] = {}
        for folder in dict.fromkeys(folder.resolve() for folder in folders):
            with contextlib.suppress(FileNotFoundError):
                found |= model.read_dotenv((folder / ".env").read_text())
        return found

    def made_up(self, names: Iterable[str]) -> dict[str, str]:
        """Return a secret for each name: the one of the last time, or a new one, which is kept."""
        kept = dict(self._kept().get("secrets", {}))
        missing = {name: secrets.token_hex(24) for name in names if name not in kept}
        if missing:
            self._keep(secrets=kept | missing)
        return {name: (kept | missing)[name] for name in names}

    def kept_port(self) -> int:
        """Return the port that the database had the last time, or 0."""
        return int(self._kept().get("database_port", 0))

    def keep_port(self, port: int) -> None:
        self._keep(database_port=port)

    def _kept(self) -> Mapping[str, Any]:
        try:
            found = json.loads((self.folder / "kept.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _keep(self, **facts: object) -> None:
        file = self.folder / "kept.json"
        draft = file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({**self._kept(), **facts}))
        draft.replace(file)
