"""What processes take of the machine: memory that is theirs (PSS), and seconds of CPU."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

_GONE = (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True)
class Taken:
    """Bytes of memory and seconds of CPU, of so many processes."""

    processes: int
    pss: int
    rss: int
    cpu: float


def with_children(pid: int) -> frozenset[int]:
    """Return a process and everything below it."""
    with contextlib.suppress(*_GONE):
        process = psutil.Process(pid)
        return frozenset({pid, *(child.pid for child in process.children(recursive=True))})
    return frozenset()


def taken(pids: Iterable[int]) -> Taken:
    """Add up what processes take; one that is gone meanwhile takes nothing."""
    count, pss, rss, cpu = 0, 0, 0, 0.0
    for pid in pids:
        with contextlib.suppress(*_GONE):
            times = psutil.Process(pid).cpu_times()
            found = _memory(pid)
            pss, rss = pss + found["Pss"], rss + found["Rss"]
            cpu += times.user + times.system
            count += 1
    return Taken(count, pss, rss, cpu)


def _memory(pid: int) -> dict[str, int]:
    """Return bytes by kind. In the proportional set size shared pages count by how many share
    them; in the resident set size each counts in full."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(size) * 1024 for name, size, *_ in fields}


def keepers(folder: str) -> frozenset[int]:
    """Return s6-svscan of a folder of services, with all that is below it."""
    for process in psutil.process_iter():
        with contextlib.suppress(*_GONE, psutil.AccessDenied):
            program, *arguments = process.cmdline() or [""]
            if program == "s6-svscan" and folder in arguments:
                return with_children(process.pid)
    return frozenset()
