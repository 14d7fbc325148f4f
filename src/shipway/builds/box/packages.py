"""Which packages of ``node_modules`` a program needs at run time, whoever installed them.

They are found as Node finds them: upwards from who asks. So it is the same for npm, for pnpm with
its links and for workspaces, and nothing has to be pruned.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import program
from .program import StepFailed

FOLDER = "node_modules"
_LEFT_OUT = {FOLDER, ".git"}


@dataclass
class Closure:
    """Packages with all that they need. ``links`` lead to packages; ``homes`` are real folders."""

    root: pathlib.Path
    declared: frozenset[str] = frozenset()
    """What the server's own manifest asks for: of the optional peers of a package, which it may
    load by name alone (a driver, say), those are needed that the server has chosen."""
    homes: set[pathlib.Path] = field(default_factory=set)
    links: set[pathlib.Path] = field(default_factory=set)

    @property
    def paths(self) -> Iterator[pathlib.Path]:
        """Yield every file and link, those in ``.bin`` that lead to one of them included."""
        yield from self.links
        for home in self.homes:
            yield from files(home)
        shelves = {_shelf(place) for place in (*self.homes, *self.links)}
        for shelf in (shelf for shelf in shelves if shelf and (shelf / ".bin").is_dir()):
            yield from (path for path in (shelf / ".bin").iterdir() if self._holds(path))

    def _holds(self, path: pathlib.Path) -> bool:
        """Whether what a program leads to is here; a script of pnpm's leads nowhere by itself."""
        target = path.resolve()
        return not path.is_symlink() or any(home in self.homes for home in target.parents)


def closure(
    root: pathlib.Path,
    folder: pathlib.Path,
    names: Iterable[str],
    declared: Iterable[str] = (),
) -> Closure:
    """Return the packages of these names, as a file in ``folder`` finds them, and their needs.

    Raises `StepFailed` when one of the names is not installed. A need of a package that is not
    there is left to the package: many are optional without saying so.
    """
    found = Closure(root, frozenset(declared))
    for name in sorted(set(names)):
        place = find(root, folder, name)
        if place is None:
            raise StepFailed(
                f"{name} is not installed for {_shown(root, folder)}: add it to the dependencies "
                "in package.json, or an [[install]] for this folder to shipway.toml."
            )
        _add(found, place)
    size = len(found.homes)
    program.say(f"{size} package{'' if size == 1 else 's'} of {FOLDER} are needed at run time.")
    return found


def find(root: pathlib.Path, folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Return where a package is for those in a folder, as Node looks for it."""
    for here in (folder, *folder.parents):
        if not here.is_relative_to(root):
            return None
        if here.name != FOLDER and (here / FOLDER / name / "package.json").is_file():
            return here / FOLDER / name
    return None


def manifest(folder: pathlib.Path) -> dict[str, Any]:
    """Return a folder's package.json, or nothing. Raises `StepFailed` when it cannot be read."""
    try:
        read = json.loads((folder / "package.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StepFailed(f"{folder.name}/package.json is not valid JSON: {error}.") from error
    return read if isinstance(read, dict) else {}


def needs(read: dict[str, Any]) -> set[str]:
    """Return the names that a manifest asks for at run time, peers that it must have included."""
    optional = _table(read, "peerDependenciesMeta")
    peers = {
        name
        for name in _table(read, "peerDependencies")
        if not _table(optional, name).get("optional")
    }
    return {*_table(read, "dependencies"), *_table(read, "optionalDependencies"), *peers}


def is_workspace(root: pathlib.Path, place: pathlib.Path) -> bool:
    """Whether a package is a folder of the repository itself, and only linked."""
    return FOLDER not in place.resolve().relative_to(root.resolve()).parts


def files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield the files and links of a folder, all but those of packages below it."""
    for here, below, names in os.walk(folder):
        place = pathlib.Path(here)
        linked = [name for name in below if (place / name).is_symlink()]
        below[:] = sorted(name for name in below if name not in _LEFT_OUT and name not in linked)
        yield from (place / name for name in sorted([*names, *linked]) if name not in _LEFT_OUT)


def _add(found: Closure, place: pathlib.Path) -> None:
    """Add a package and what it needs."""
    waiting = [place]
    while waiting:
        place = waiting.pop()
        home = place.resolve()
        if not home.is_relative_to(found.root):
            raise StepFailed(f"{place.name} is a link to {home}, which is outside the repository.")
        if home != place:
            found.links.add(place)
        if home in found.homes:
            continue
        found.homes.add(home)
        read = manifest(home)
        asked = needs(read) | (found.declared & set(_table(read, "peerDependenciesMeta")))
        places = (find(found.root, home, name) for name in sorted(asked))
        waiting.extend(one for one in places if one)


def _shelf(place: pathlib.Path) -> pathlib.Path | None:
    """Return the folder of packages that one stands in; that of ``@scope/name`` is one further up."""
    return next((above for above in place.parents if above.name == FOLDER), None)


def _table(read: dict[str, Any], key: str) -> dict[str, Any]:
    found = read.get(key)
    return found if isinstance(found, dict) else {}


def _shown(root: pathlib.Path, folder: pathlib.Path) -> str:
    return "the server" if folder == root else folder.relative_to(root).as_posix()
