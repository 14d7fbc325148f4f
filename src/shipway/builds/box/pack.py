"""Files into one file, the same bytes each time: sorted, without times, owners or umask."""

from __future__ import annotations

import pathlib
import tarfile
from collections.abc import Iterable, Iterator

from .program import StepFailed, say

LARGEST = 2 * 1024**3
"""Bytes that an artifact may have."""


def pack(root: pathlib.Path, paths: Iterable[pathlib.Path], target: pathlib.Path) -> None:
    """Put files and folders below ``root`` into a tar file, named relative to it.

    A link is kept when it leads to something that is packed too. Raises `StepFailed` for one
    that does not, for anything that is neither file, folder nor link, and when it gets too big.
    """
    members = sorted(set(_expanded(root, paths)), key=lambda path: path.as_posix())
    names = {path.relative_to(root).as_posix() for path in members}
    total = 0
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in members:
            member = _member(root, path, names)
            total += member.size
            if total > LARGEST:
                raise StepFailed(f"{target.name} would be larger than {LARGEST} bytes.")
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    say(f"{target.name}: {len(members)} entries, {total:,} bytes.")


def _expanded(root: pathlib.Path, paths: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
    for path in paths:
        yield from (parent for parent in path.parents if parent != root and root in parent.parents)
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from path.rglob("*")


def _member(root: pathlib.Path, path: pathlib.Path, names: set[str]) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.relative_to(root).as_posix())
    member.mode = 0o755
    if path.is_symlink():
        member.type = tarfile.SYMTYPE
        member.linkname = _inside(root, path, names)
    elif path.is_dir():
        member.type = tarfile.DIRTYPE
    elif path.is_file():
        stat = path.stat()
        member.size = stat.st_size
        member.mode = 0o755 if stat.st_mode & 0o100 else 0o644
    else:
        raise StepFailed(f"{member.name} is neither a file, a folder nor a link.")
    return member


def _inside(root: pathlib.Path, link: pathlib.Path, names: set[str]) -> str:
    """Return where a link leads. What it leads to must be in the archive."""
    to = link.readlink()
    target = (link.parent / to).resolve()
    if to.is_absolute() or not target.is_relative_to(root.resolve()):
        raise StepFailed(f"{link.relative_to(root)} is a link that leads out of its folder.")
    if target.relative_to(root.resolve()).as_posix() not in names:
        raise StepFailed(f"{link.relative_to(root)} is a link to something that is not packed.")
    return to.as_posix()
