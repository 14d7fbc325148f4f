"""Dependencies of a clone: fetched when they are missing, or when a lock file has changed."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping

from shipway.appfile.model import Install
from shipway.kit import command, errors

OnLine = Callable[[str], None]

TREES = ("node_modules", ".venv", "venv")
"""Folders that installs make."""

SECONDS = 1800

_MANIFESTS = (
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock",
    "bun.lock", "pyproject.toml", "uv.lock", "poetry.lock", "requirements*.txt",
)  # fmt: skip
"""What decides for a step that does not name its inputs."""

_WHERE_FROM = {
    "npm": "Install Node.js: https://nodejs.org",
    "uv": "Install it: pip install uv",
    "poetry": "Install it: pip install poetry",
    "pnpm": "Install it: npm install --global pnpm",
    "yarn": "Install it: npm install --global yarn",
    "bun": "Install it: npm install --global bun",
}


class Installs:
    """The installs of one clone; ``stamps`` is the folder that remembers them."""

    def __init__(self, root: pathlib.Path, stamps: pathlib.Path) -> None:
        self._root = root
        self._stamps = stamps

    def missing(self, step: Install) -> bool:
        """Whether a step must run: never run here, its inputs changed, or its folders gone.

        What a person has installed by hand since the inputs last changed is taken as it is.
        """
        folder = self._root / step.folder
        kept = self._stamp(step)
        if kept:
            gone = any(not (folder / tree).is_dir() for tree in kept["trees"])
            return gone or kept["digest"] != self._digest(step)
        trees = [folder / tree for tree in TREES if (folder / tree).is_dir()]
        newest = max((file.stat().st_mtime for file in self._inputs(step)), default=0.0)
        return not trees or max(tree.stat().st_mtime for tree in trees) < newest

    async def run(self, step: Install, env: Mapping[str, str], on_line: OnLine) -> None:
        """Run a step. Raises `errors.Failed`, or `errors.Unavailable` for a missing program."""
        folder = self._root / step.folder
        wanted = command.Command(argv=step.run, env=env, cwd=folder, timeout=SECONDS)
        try:
            await command.run(wanted, on_line=on_line)
        except errors.Unavailable as error:
            raise errors.Unavailable(
                error.what, fix=_WHERE_FROM.get(step.run[0], "Install that program first.")
            ) from error
        self.keep(step)

    def keep(self, step: Install) -> None:
        """Remember that a step is done."""
        trees = [tree for tree in TREES if (self._root / step.folder / tree).is_dir()]
        self._stamps.mkdir(parents=True, exist_ok=True)
        facts = {"digest": self._digest(step), "trees": trees}
        (self._stamps / f"{step.name}.json").write_text(json.dumps(facts))

    def _stamp(self, step: Install) -> Mapping[str, list[str] | str] | None:
        try:
            found = json.loads((self._stamps / f"{step.name}.json").read_text())
            return {"digest": str(found["digest"]), "trees": list(found["trees"])}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _digest(self, step: Install) -> str:
        whole = hashlib.sha256("\0".join(step.run).encode())
        for file in sorted(self._inputs(step)):
            whole.update(file.name.encode() + file.read_bytes())
        return whole.hexdigest()

    def _inputs(self, step: Install) -> Iterable[pathlib.Path]:
        folder = self._root / step.folder
        globs = step.inputs or _MANIFESTS
        found = {file for glob in globs for file in folder.glob(glob) if file.is_file()}
        return sorted(file for file in found if not set(TREES) & set(file.parts))
