"""Lays out what a step sees, and finds what an install step has made."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator

from .program import StepFailed

EPOCH = 315_532_800
"""1980-01-01, the first moment that a zip file can name: every source file is from then."""


def lay_out(commit: pathlib.Path, paths: Iterable[str], src: pathlib.Path) -> None:
    """Copy paths of the commit: writable, with one time and one of two modes."""
    for path in paths:
        (src / path).parent.mkdir(parents=True, exist_ok=True)
        _copy(commit / path, src / path)


def bring(trees: Iterable[str], needs: pathlib.Path, src: pathlib.Path) -> None:
    """Copy folders that an earlier install has made, so that this one may go on from there."""
    for tree in trees:
        shutil.copytree(
            needs / tree, src / tree, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copy2
        )


def made(src: pathlib.Path, commit: pathlib.Path) -> list[str]:
    """Return the folders that are in ``src`` but not in the commit, the outermost of each."""
    return sorted(_new(src, src, commit))


def _new(here: pathlib.Path, src: pathlib.Path, commit: pathlib.Path) -> Iterator[str]:
    for entry in os.scandir(here):
        path = pathlib.Path(entry.path)
        if not entry.is_dir(follow_symlinks=False) or entry.name in {"__pycache__", ".git"}:
            continue
        relative = path.relative_to(src)
        if (commit / relative).is_dir():
            yield from _new(path, src, commit)
        else:
            yield relative.as_posix()


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    if source.is_symlink():
        target.unlink(missing_ok=True)
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(exist_ok=True)
        for entry in source.iterdir():
            _copy(entry, target / entry.name)
    elif source.is_file():
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
        os.utime(target, (EPOCH, EPOCH))
    else:
        raise StepFailed(f"The commit has no {source.name}.")
