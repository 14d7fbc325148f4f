"""The one door to file systems as a whole: what they have left."""

from __future__ import annotations

import errno
import os
import pathlib
from dataclasses import dataclass

GIB = 1024**3
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What writing says where there is no room."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """A file system, in bytes and in files. ``files`` is 0 where it counts none."""

    where: str
    free: int
    size: int
    files_free: int = 0
    files: int = 0


def space(folder: pathlib.Path) -> Space:
    """Measure the file system that a folder, or the nearest one above that is there, lies on."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    seen = os.statvfs(there)
    return Space(
        where=str(there),
        free=seen.f_bavail * seen.f_frsize,
        size=seen.f_blocks * seen.f_frsize,
        files_free=seen.f_favail,
        files=seen.f_files,
    )


def shown(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((GIB, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
