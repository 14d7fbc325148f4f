"""Runs a task, and ends it when it uses more than it may.

The kernel bounds processes, temporary files and single files; with a control group memory too.
What is left is looked at a few times a second: how much the task has written below its folders,
what the file system has left, and without a control group how much memory its processes have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from shipway.kit import command, disk, errors
from shipway.runtime.drivers import bounds, fence
from shipway.runtime.model import Sandbox, Task

LOOK_SECONDS = 0.25
COUNT_SECONDS = 30.0
"""All files of the task are counted so often, and sooner when the file system got fuller."""

SMALLEST_STEP = 16 * 1024**2
FEWEST_FILES = 0.01
"""The part of its files that a file system keeps for others."""

_BLOCK = 512


@dataclass(kw_only=True)
class Guard:
    """Watches over one task in ``folder``, its owner's. ``reserve`` are the bytes that the file
    system keeps back; a task is ended when half of them are left."""

    folder: pathlib.Path
    sandbox: Sandbox
    reserve: int
    grouped: bool
    _began: float = field(default_factory=time.time)
    _counted: float = 0.0
    _free: int = 0
    _written: int = 0

    async def exceeded(self, pid: int) -> errors.Failed:
        """Return what is wrong once the task ``pid`` uses more than it may; until then wait."""
        self._counted, self._free = time.monotonic(), disk.space(self.folder).free
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if found := await self._disk() or self._memory(pid):
                return found

    def full(self) -> errors.Failed | None:
        """Say what the file system lacks now: a task can fill it, and fail, between two looks."""
        return short(disk.space(self.folder), self.reserve // 2)

    async def _disk(self) -> errors.Failed | None:
        now = disk.space(self.folder)
        if found := short(now, self.reserve // 2):
            return found
        if self._should_count(now.free):
            self._written = await asyncio.to_thread(self._written_by_now)
            self._counted, self._free = time.monotonic(), now.free
        if self._written <= self.sandbox.disk_bytes:
            return None
        return errors.Failed(
            f"wrote {disk.shown(self._written)} (limit {disk.shown(self.sandbox.disk_bytes)})",
            fix="Have it write less, or raise `step_disk_gib` in the server's settings.toml.",
        )

    def _should_count(self, free: int) -> bool:
        """Counting takes time: it waits until the task may have written half of what is left."""
        left = max((self.sandbox.disk_bytes - self._written) // 2, SMALLEST_STEP)
        fuller = self._free - free >= min(left, self.sandbox.disk_bytes)
        return fuller or time.monotonic() - self._counted > COUNT_SECONDS

    def _written_by_now(self) -> int:
        """Count what was written since the task began. The time of a change is the kernel's: no
        program sets it."""
        total, linked = 0, set[int]()
        for path in self.sandbox.writable:
            with (
                contextlib.suppress(errors.ShipwayError, OSError),
                fence.opened(self.folder, fence.parts_of(path)) as top,
            ):
                for _, _, files, at in os.fwalk(dir_fd=top, follow_symlinks=False):
                    total += sum(_new(name, at, self._began, linked) for name in files)
        return total

    def _memory(self, pid: int) -> errors.Failed | None:
        if self.grouped or memory_of(pid) <= self.sandbox.memory_bytes:
            return None
        return out_of_memory(self.sandbox)


def _new(name: str, at: int, since: float, linked: set[int]) -> int:
    """Return the bytes that a file takes on disk, if it is new. Of several links one counts."""
    with contextlib.suppress(OSError):  # gone meanwhile
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        if found.st_ctime >= since and found.st_ino not in linked:
            if found.st_nlink > 1:
                linked.add(found.st_ino)
            return found.st_blocks * _BLOCK
    return 0


def short(now: disk.Space, kept: int) -> errors.Failed | None:
    """Say what a file system lacks when it must keep so many bytes for others."""
    fix = "Make room: `shipway housekeeping`, or a larger disk."
    if now.free < kept:
        left = f"{disk.shown(now.free)} are left on the disk, {disk.shown(kept)} are kept back"
        return errors.Failed(f"was ended to keep the disk from filling up: {left}", fix=fix)
    if now.files and now.files_free < now.files * FEWEST_FILES:
        left = f"{now.files_free:,} of {now.files:,} files can still be made on the disk"
        return errors.Failed(f"was ended to keep the disk from filling up: {left}", fix=fix)
    return None


def memory_of(pid: int) -> int:
    """Return the bytes of memory of a process and all below it; what they share counts once."""
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
        if sum(map(_resident, family)) > 0:
            return sum(map(_proportional, family))
    return 0


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _proportional(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return _resident(process)


def out_of_memory(sandbox: Sandbox) -> errors.Failed:
    return errors.Failed(
        f"ran out of memory (limit {sandbox.memory_bytes // 1024**2} MB)",
        fix="Have it use less, for example with fewer workers at once.",
    )


def out_of_processes(sandbox: Sandbox) -> errors.Failed:
    return errors.Failed(
        f"started more processes than it may (limit {sandbox.processes})",
        fix="Have it wait for those that it started.",
    )


async def run(
    task: Task,
    wanted: command.Command,
    on_line: Callable[[str], None],
    *,
    guard: Guard | None,
    group: bounds.Group | None,
) -> int:
    """Run the command of a task and return its status. Raises `errors.Failed`, which names the
    task, when its time or the bounds of its sandbox ended it."""
    try:
        status = await _guarded(wanted, on_line, guard)
        if status and guard and (why := guard.full()):
            raise _named(task, why)
        if status and task.sandbox:
            _explain(task.sandbox, status, group)
    except command.CommandFailed as error:
        if task.sandbox and group and group.ran_out_of_processes():
            raise _named(task, out_of_processes(task.sandbox)) from error
        late = errors.Failed(f"ran out of time after {task.timeout:g} seconds")
        raise _named(task, late) from error
    except _Ended as ended:
        raise _named(task, ended.why) from ended
    return status


class _Ended(Exception):
    """The bounds of the sandbox ended the task. Stays in here."""

    def __init__(self, why: errors.Failed) -> None:
        super().__init__(why)
        self.why = why


def _named(task: Task, why: errors.Failed) -> errors.Failed:
    return errors.Failed(f"`{shlex.join(task.argv)}` {why.what}.", fix=why.fix)


async def _guarded(
    wanted: command.Command, on_line: Callable[[str], None], guard: Guard | None
) -> int:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(
        command.run(wanted, on_line=on_line, check=False, on_start=started.set_result)
    )
    watching = asyncio.ensure_future(_watch(started, guard))
    try:
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result().status
        raise _Ended(watching.result())
    finally:
        await _over(running, watching)


async def _watch(started: asyncio.Future[int], guard: Guard | None) -> errors.Failed:
    pid = await started
    if guard is None:
        await asyncio.Event().wait()
    assert guard
    return await guard.exceeded(pid)


async def _over(*tasks: asyncio.Future[command.Outcome] | asyncio.Future[errors.Failed]) -> None:
    for one in tasks:
        one.cancel()
    await asyncio.wait(tasks)


def _explain(sandbox: Sandbox, status: int, group: bounds.Group | None) -> None:
    """Raise when the kernel says that the bounds of the sandbox ended the task."""
    if group and group.ran_out_of_memory():
        raise _Ended(out_of_memory(sandbox))
    if group and group.ran_out_of_processes():
        raise _Ended(out_of_processes(sandbox))
    if status in {137, -9} and not group:
        why = out_of_memory(sandbox)
        raise _Ended(errors.Failed(f"was killed, probably because it {why.what}", fix=why.fix))
