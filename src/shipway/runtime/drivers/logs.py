"""What services and tasks say: the end of a service's log, and a bound on a task's output."""

from __future__ import annotations

import collections
import os
import pathlib
import shlex
from collections.abc import Collection

from shipway.kit import clock, errors
from shipway.runtime.drivers import fence
from shipway.runtime.model import Task
from shipway.runtime.port import OnLine

MOST_LINES = 10_000
_LONGEST = 8 * 1024**2
_KEPT_SECONDS = 7 * 24 * 3600
"""How long the log of a dropped service stays, for those who ask why."""


def tail(folder: pathlib.Path, last: int) -> tuple[str, ...]:
    """Return the last lines of a log, each with its time in front.

    The folder belongs to the service, which may have put anything there: no link is followed,
    and no file is read further than a bound.
    """
    if not folder.exists():
        raise errors.NotFound(f"There is no log of {folder.name}.")
    lines: collections.deque[str] = collections.deque(maxlen=max(1, min(last, MOST_LINES)))
    owners = frozenset({folder.stat().st_uid})
    with fence.opened(folder, ()) as at:
        rotated = [name for name in fence.names(at) if name.startswith("@")]
    # The newest rotated file follows, because "current" may just have begun.
    for name in [*rotated[-2:], "current"]:
        try:
            file = fence.file_at(folder, name, owners=owners)
        except (errors.NotFound, errors.Refused):
            continue
        with os.fdopen(file, "rb") as stream:
            lines.extend(stream.read(_LONGEST).decode(errors="replace").splitlines())
    return tuple(lines)


def prune(folder: pathlib.Path, kept: Collection[str]) -> None:
    """Remove the logs of services that were dropped days ago."""
    oldest = clock.now().timestamp() - _KEPT_SECONDS
    for log in folder.iterdir() if folder.is_dir() else ():
        if log.name not in kept and log.stat().st_mtime < oldest:
            fence.remove_tree(log)


class Meter:
    """Passes a task's lines on, until they are more than it may say."""

    def __init__(self, task: Task, on_line: OnLine | None) -> None:
        self._task = task
        self._left = task.output_bytes
        self._on_line = on_line

    def __call__(self, line: str) -> None:
        self._left -= len(line) + 1
        if self._left < 0:
            raise errors.Failed(
                f"`{shlex.join(self._task.argv)}` wrote more than {self._task.output_bytes:,} bytes.",
                fix="Make it say less.",
            )
        if self._on_line:
            self._on_line(line)
