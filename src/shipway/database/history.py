"""The files of migrations: which of those of a release are some, and whether one was edited."""

from __future__ import annotations

import fnmatch
import hashlib
import pathlib
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NUMBERED = re.compile(r"\d{3,}|[vV]\d+(?:[._]\d+)*__")
_ORDERED = re.compile(r"\d{3,}[_.-]|[vV]\d+(?:[._]\d+)*__")
"""Not the hashes that Alembic gives, some of which begin with digits."""

_CODE = frozenset({".py", ".sql", ".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"})


@dataclass(frozen=True)
class Applied:
    """A file that has run: its SHA-256 then, and the release it came with."""

    digest: str
    release: str


def is_migration(path: str, patterns: Sequence[str] = ()) -> bool:
    """Whether a file is a migration: by the patterns of the app, else because it or its folder
    begins with a number, or because it lies in a folder ``versions``."""
    if patterns:
        return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)
    found = pathlib.PurePosixPath(path)
    if found.suffix not in _CODE or "node_modules" in found.parts:
        return False
    named = _NUMBERED.match(found.name) or _NUMBERED.match(found.parent.name)
    return bool(named) or found.parent.name == "versions"


def _is_numbered(path: str) -> bool:
    found = pathlib.PurePosixPath(path)
    return any(_ORDERED.match(name) for name in (found.name, found.parent.name))


def digests(archive: pathlib.Path, patterns: Sequence[str] = ()) -> dict[str, str]:
    """Return the migrations in the artifact of a release, each with its SHA-256."""
    with tarfile.open(archive) as tar:
        return dict(_digests(tar, patterns))


def _digests(tar: tarfile.TarFile, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    for member in tar:
        if member.isreg() and is_migration(member.name, patterns):
            file = tar.extractfile(member)
            assert file
            with file:
                yield member.name, hashlib.sha256(file.read()).hexdigest()


def edited(files: Mapping[str, str], applied: Mapping[str, Applied]) -> tuple[str, ...]:
    """Return the files that are not what they were when they ran."""
    return tuple(
        path
        for path, digest in sorted(files.items())
        if path in applied and applied[path].digest != digest
    )


def refusal(files: Mapping[str, str], applied: Mapping[str, Applied], environment: str) -> str:
    """Say that migrations were edited after they ran; "" when none was."""
    told = [f"{path} (which ran with {applied[path].release})" for path in edited(files, applied)]
    if not told:
        return ""
    return (
        f"A migration was edited after it ran in {environment}: {', '.join(told)}. Put it back as it"
        " was, and write what you want to change as a new migration."
    )


def ran(files: Mapping[str, str], head: str, *, failed: bool) -> dict[str, str]:
    """Return those files that have run when the schema is at ``head``.

    That is the one which is named after it and those before, where their names begin with numbers.
    Otherwise all of them have, or after a failure none is known to.
    """
    ordered = sorted(files)
    named = [index for index, path in enumerate(ordered) if head and head in path]
    if named and all(_is_numbered(path) for path in ordered):
        return {path: files[path] for path in ordered[: named[-1] + 1]}
    return {} if failed else dict(files)
