"""The servers that this person is logged in to, in one file of mode 0600."""

from __future__ import annotations

import os
import pathlib
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import platformdirs
import tomlkit

from shipway.kit import errors

FOLDER_MODE = 0o700


@dataclass(frozen=True, kw_only=True)
class Server:
    """One Shipway and who we are there. ``name`` is what `--server` takes."""

    name: str
    url: str
    token: str
    person: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"Server({self.name!r}, {self.url!r})"


def name_of(url: str) -> str:
    """Return the short name of a server: its host and, where it is no usual one, its port.

    Raises `errors.Invalid` for anything but an http or https address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise errors.Invalid(
            f"`{url}` is no address of a Shipway.",
            fix="Give it like https://shipway.example.org.",
        )
    return parts.netloc.rpartition("@")[2]


class Servers:
    """The file. It is read when asked, written whole, and never readable by others."""

    def __init__(self, file: pathlib.Path | None = None) -> None:
        self.file = file or platformdirs.user_config_path("shipway") / "servers.toml"

    def all(self) -> tuple[Server, ...]:
        return tuple(Server(name=name, **rest) for name, rest in self._read()["servers"].items())

    @property
    def current(self) -> str:
        """The name of the server that commands speak to unless told otherwise."""
        return str(self._read()["current"])

    def find(self, name_or_url: str = "") -> Server:
        """Return a server by name or address, or the current one. Raises `errors.NotFound`."""
        wanted = name_or_url.rstrip("/") or self.current
        for server in self.all():
            if wanted in {server.name, server.url}:
                return server
        if not wanted:
            raise errors.NotFound(
                "You are not logged in to any Shipway.",
                fix="`shipway login URL` logs you in; `shipway up` starts one on this machine.",
            )
        raise errors.NotFound(
            f"You are not logged in to `{wanted}`.", fix=f"Run `shipway login {wanted}`."
        )

    def knows(self, url: str) -> bool:
        """Return whether we are logged in to the server at an address."""
        return any(server.url == url for server in self.all())

    def keep(self, server: Server) -> None:
        """Keep a server, and speak to it from now on."""
        entry = asdict(server)
        found = self._read()
        found["servers"][entry.pop("name")] = entry
        self._write(found | {"current": server.name})

    def use(self, name: str) -> Server:
        """Speak to this server from now on. Raises `errors.NotFound`."""
        server = self.find(name)
        self._write(self._read() | {"current": server.name})
        return server

    def forget(self, name: str) -> None:
        """Forget a server. Raises `errors.NotFound`."""
        server = self.find(name)
        found = self._read()
        del found["servers"][server.name]
        if found["current"] == server.name:
            found["current"] = next(iter(found["servers"]), "")
        self._write(found)

    def _read(self) -> dict[str, Any]:
        try:
            found = tomllib.loads(self.file.read_text())
        except FileNotFoundError:
            found = {}
        except (tomllib.TOMLDecodeError, OSError) as error:
            raise errors.Invalid(
                f"{self.file} cannot be read: {error}.", fix="Remove it and log in again."
            ) from error
        return {"current": found.get("current", ""), "servers": dict(found.get("servers", {}))}

    def _write(self, content: dict[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        # mkstemp makes a file of mode 0600, so the tokens are at no moment readable by others.
        handle, name = tempfile.mkstemp(dir=self.file.parent, prefix=".servers")
        with os.fdopen(handle, "w") as new:
            new.write(tomlkit.dumps(content))
        pathlib.Path(name).replace(self.file)
