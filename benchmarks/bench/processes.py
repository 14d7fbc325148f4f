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
    cpu: float


def with_children(pid: int) -> frozenset[int]:
    """Return a process and everything below it."""
    with contextlib.suppress(*_GONE):
        process = psutil.Process(pid)
        return frozenset({pid, *(child.pid for child in process.children(recursive=True))})
    return frozenset()


def taken(pids: Iterable[int]) -> Taken:
    """Add up what processes take; one that is gone meanwhile takes nothing."""
    count, pss, cpu = 0, 0, 0.0
    for pid in pids:
        with contextlib.suppress(*_GONE):
            times = psutil.Process(pid).cpu_times()
            pss += _pss(pid)
            cpu += times.user + times.system
            count += 1
    return Taken(count, pss, cpu)


def _pss(pid: int) -> int:
    """Return the proportional set size in bytes: shared pages count by how many share them."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("\nPss:")[2].split()[0]) * 1024


def keepers(folder: str) -> frozenset[int]:
    """Return s6-svscan of a folder of services, with all that is below it."""
    for process in psutil.process_iter():
        with contextlib.suppress(*_GONE, psutil.AccessDenied):
            program, *arguments = process.cmdline() or [""]
            if program == "s6-svscan" and folder in arguments:
                return with_children(process.pid)
    return frozenset()
