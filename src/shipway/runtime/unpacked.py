"""A release's files in the folder of an environment: what is where, and how a server starts."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.kit import errors
from shipway.runtime.model import Start

PYTHON = ("/usr/bin/python3", "-sE")
"""The interpreter that a Python server was built for: the machine's own, never Shipway's."""

_FILES = {"python": "server.pyz", "node": "server", "command": "server"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """Paths of an unpacked release, relative to its owner's folder.

    ``main`` is what Node starts and ``cwd`` where, relative to the repository.
    """

    name: str
    kind: str
    main: str = ""
    cwd: str = "."

    @property
    def folder(self) -> str:
        return f"releases/{self.name}"

    @property
    def server(self) -> str:
        """The server: a file, or with Node a folder that is laid out like the repository."""
        return f"{self.folder}/{_FILES[self.kind]}"

    @property
    def started(self) -> str:
        """The file that an instance is started from."""
        return f"{self.server}/{self.main}" if self.kind == "node" else self.server

    @property
    def sources(self) -> str:
        """The folder of a server in Node, where it finds what it reads."""
        return self.server if self.cwd == "." else f"{self.server}/{self.cwd}"

    @property
    def workplace(self) -> str:
        """The folder that an instance is started in. With Node it leads to all that is in that of
        its sources, and can be written: many servers put logs or uploads where they are started."""
        return f"work/{self.name}" if self.kind == "node" else "."

    @property
    def node(self) -> str:
        """The release's own Node, if it has one: first on the path of all that runs of it."""
        return f"{self.folder}/node"

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


def prepared(release: Release, *, path: str, below: str = ".") -> Prepared:
    """Say how commands of the release are run: with its packages, in its database files.

    ``below`` is their folder, where they are laid out like the repository with its node_modules.
    """
    cwd = release.database if below == "." else f"{release.database}/{below}"
    around = [cwd, *(str(p) for p in pathlib.PurePath(cwd).parents)]
    shelves = [f"{p}/node_modules/.bin" for p in around if p.startswith(release.database)]
    path = ":".join([*(f"{{owner}}/{shelf}" for shelf in shelves), path])
    env = _finding_packages(release, "{owner}", path)
    return Prepared(folder=release.folder, cwd=cwd, env=env)


def _finding_packages(release: Release, folder: str, path: str) -> dict[str, str]:
    """Return the variables with which the release's own ``node`` and ``python`` are found, and
    ``python`` finds the packages of a Python server."""
    env = {"PATH": f"{folder}/{release.programs}:{folder}/{release.node}/bin:{path}"}
    return env | ({"PYTHONPATH": f"{folder}/{release.site}"} if release.kind == "python" else {})


def argv(start: Start, release: Release, folder: pathlib.Path, port: int) -> tuple[str, ...]:
    """Return the command that starts an instance. Raises `errors.Invalid` when there is none."""
    server = str(folder / release.started)
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
