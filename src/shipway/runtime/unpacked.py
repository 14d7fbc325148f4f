"""A release's files in the folder of an environment: what is where, and how a server starts."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.kit import errors
from shipway.runtime.model import Start

PYTHON = ("/usr/bin/python3", "-sE")
"""The interpreter that a Python server was built for: the machine's own, never Shipway's."""

_FILES = {"python": "server.pyz", "node": "server.js", "command": "server"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """Paths of an unpacked release, relative to its owner's folder."""

    name: str
    kind: str

    @property
    def folder(self) -> str:
        return f"releases/{self.name}"

    @property
    def server(self) -> str:
        return f"{self.folder}/{_FILES[self.kind]}"

    @property
    def packages(self) -> str:
        """Where shiv has put the packages of a Python server, one folder further down."""
        return f"{self.folder}/packages"

    @property
    def site(self) -> str:
        """A link to the packages themselves."""
        return f"{self.folder}/site"

    @property
    def programs(self) -> str:
        """A folder to be first on the path: ``python`` for commands of the release."""
        return f"{self.folder}/bin"

    @property
    def database(self) -> str:
        return f"{self.folder}/database"

    @property
    def done(self) -> str:
        """A file that is there when all else is."""
        return f"{self.folder}/unpacked"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A release in place. ``cwd`` and ``env`` are for the commands of its database files; ``env``
    holds ``{owner}`` for the owner's folder, as tasks may.
    """

    folder: str
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)


def prepared(release: Release, *, path: str) -> Prepared:
    """Say how commands of the release are run: with its packages, in its database files."""
    env = _finding_packages(release, "{owner}", path)
    return Prepared(folder=release.folder, cwd=release.database, env=env)


def _finding_packages(release: Release, folder: str, path: str) -> dict[str, str]:
    """Return the variables with which ``python`` finds the packages of a Python server."""
    env = {"PATH": f"{folder}/{release.programs}:{path}"}
    return env | ({"PYTHONPATH": f"{folder}/{release.site}"} if release.kind == "python" else {})


def argv(start: Start, release: Release, folder: pathlib.Path, port: int) -> tuple[str, ...]:
    """Return the command that starts an instance. Raises `errors.Invalid` when there is none."""
    server = str(folder / release.server)
    known = {"python": (*PYTHON, "{server}"), "node": ("node", "{server}")}
    words = start.argv or known.get(start.kind, ())
    if not words:
        raise errors.Invalid(
            f"{start.app} does not say how its server is started.",
            fix='Set `start` in [server] of shipway.toml, such as ["{server}"].',
        )
    return tuple(word.replace("{server}", server).replace("{port}", str(port)) for word in words)


def environment(start: Start, release: Release, folder: pathlib.Path, path: str) -> dict[str, str]:
    """Return the variables of an instance, all but its port."""
    if taken := sorted(name for name in start.env if name.startswith("SHIV_")):
        raise errors.Refused(
            *(f"{name} would change how the server's file unpacks itself" for name in taken),
            fix="Name it otherwise.",
        )
    own = {"LANG": "C.UTF-8", "HOME": str(folder), "HOST": "127.0.0.1"}
    own |= _finding_packages(release, str(folder), path)
    if start.kind == "python":
        own["SHIV_ROOT"] = str(folder / release.packages)
    return own | dict(start.env)
