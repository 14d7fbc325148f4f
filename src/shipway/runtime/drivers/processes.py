"""Which process is which: a process id alone says nothing once the process has gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
from dataclasses import dataclass

_PROC = pathlib.Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process of one boot. ``started`` is in clock ticks since that boot."""

    pid: int
    started: int
    boot: str


def boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Process | None:
    """Return the process that has this id now; a zombie counts as gone."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything, spaces and parentheses included.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else Process(pid, int(fields[18]), boot_id())


def is_alive(process: Process) -> bool:
    return process.pid > 1 and identify(process.pid) == process


def user_of(process: Process) -> int | None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return (_PROC / str(process.pid)).stat().st_uid
    return None


async def end(process: Process, *, uid: int, stop_signal: str, grace: float) -> bool:
    """Signal a process of this user, wait for ``grace`` seconds, then kill it.

    Does nothing and returns False when it is gone, or is not what it was taken for.
    """
    if not is_alive(process) or user_of(process) != uid:
        return False
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Asked again: between the first look and the handle the number may have changed hands.
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(handle, signal.Signals[stop_signal])
        if not await _gone(handle, grace):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            await _gone(handle, 10)
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
    return True


async def _gone(handle: int, timeout: float) -> bool:
    """Wait until the process behind a pidfd has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(timeout):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True
