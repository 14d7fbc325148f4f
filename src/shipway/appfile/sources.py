"""What the sources of a server say of it: which variables it reads, and what it answers."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipway.appfile import survey, words
from shipway.appfile.survey import Part

MOST_FILES = 400
"""Sources beyond these are not read."""

_SUFFIXES = (".ts", ".js", ".mts", ".mjs", ".cts", ".cjs")
_NOT_SERVED = frozenset(
    {
        "node_modules",
        "dist",
        "build",
        "coverage",
        "__tests__",
        "tests",
        "test",
        "e2e",
        "ios",
        "android",
    }
)
_VARIABLE = re.compile(r"process\.env(?:\.|\[[\"'])([A-Z][A-Z0-9_]*)")
_ROUTE = re.compile(
    r"\.(?:get|all|use|route)\(\s*[\"'`](/[\w./-]*?(?:health|healthz|healthcheck|readyz|ready|ping|status))[\"'`]"
)
_QUOTED = re.compile(r"[\"'`](/[\w./-]*(?:health|healthz|healthcheck|readyz|livez))[\"'`]")
_AT_API = re.compile(r"""(?://|["'`])api\.(?:\$\{|["'`])""")
_HOME = re.compile(r"\.(?:get|all)\(\s*[\"'`]/[\"'`]")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The text of a server's sources, tests left out."""

    text: str

    @property
    def variables(self) -> frozenset[str]:
        """The variables that they read."""
        return frozenset(_VARIABLE.findall(self.text))

    @property
    def port(self) -> str:
        """The variable that holds the port, or nothing when none of them seems to."""
        taken = ("DB", "PG", "SMTP", "REDIS", "MAIL", "POSTGRES", "DATABASE")
        found = {n for n in self.variables if n.endswith("PORT") and not n.startswith(taken)}
        return "PORT" if "PORT" in found else min(found, key=lambda n: (len(n), n), default="")

    @property
    def health(self) -> str:
        """The path that says whether the server is well, or at least that it is there.

        A route below a router is told only by its end: then the place of the router is a guess.
        """
        said: list[str] = _ROUTE.findall(self.text) or _QUOTED.findall(self.text)
        named = [path for path in said if words.URL_PATH.fits(path)]
        named.sort(key=lambda path: ("health" not in path, -path.count("/"), len(path)))
        return next(iter(named), "/" if _HOME.search(self.text) else "")

    @property
    def has_server_at_api(self) -> bool:
        """Whether an address is put together that begins with ``api.``, as Shipway's do."""
        return _AT_API.search(self.text) is not None

    def mentions(self, name: str) -> bool:
        """Whether a name of a file or folder stands in quotation marks, alone or in a path."""
        quoted = rf"[\"'`/]{re.escape(name)}[\"'`/]"
        return re.search(quoted, self.text) is not None


def of_server(part: Part, entry: str) -> Sources:
    """Read the sources of a server: the folder of its entry, or all of its own."""
    place = part.path / entry
    top = part.path / entry.split("/", maxsplit=1)[0] if "/" in entry else part.path
    folder = top if top.is_dir() and part.depends_on("expo") else part.path
    found = [place] if place.is_file() else []
    return Sources(text="\n".join(survey.read_text(p) for p in [*found, *_files(folder)]))


def of_client(part: Part) -> Sources:
    """Read the sources of a client."""
    return Sources(text="\n".join(survey.read_text(path) for path in _files(part.path, ("x",))))


def _files(folder: pathlib.Path, more: tuple[str, ...] = ()) -> Iterator[pathlib.Path]:
    suffixes = (*_SUFFIXES, *(f"{one}x" for one in _SUFFIXES if more))
    return itertools.islice(_walk(folder, suffixes), MOST_FILES)


def _walk(folder: pathlib.Path, suffixes: tuple[str, ...]) -> Iterator[pathlib.Path]:
    for here, below, names in os.walk(folder):
        below[:] = sorted(n for n in below if n not in _NOT_SERVED and not n.startswith("."))
        for name in sorted(names):
            if name.endswith(suffixes) and not re.search(r"\.(?:test|spec|d)\.\w+$", name):
                yield pathlib.Path(here) / name
