"""How much memory and how many processes a task may use: a control group, or else rlimits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from shipway.runtime.model import Sandbox

_ROOT = pathlib.Path("/sys/fs/cgroup")
_OWN = pathlib.Path("/proc/self/cgroup")
_SHARES = {"cpu.weight": "25", "io.weight": "25", "cpu.shares": "256"}
"""What all tasks together get of processor and disk where an app wants them too: a quarter of
what one process of an app gets. Nothing is taken from them while nobody else wants it."""


@dataclass(frozen=True)
class Group:
    """The folders of one control group: one in version 2, one per controller in version 1."""

    folders: tuple[pathlib.Path, ...]

    def ran_out_of_memory(self) -> bool:
        """Say whether the kernel has killed anything here for want of memory."""
        return self._counts("oom_kill", "memory.events", "memory.oom_control")

    def ran_out_of_processes(self) -> bool:
        """Say whether the kernel has refused anybody here another process."""
        return self._counts("max", "pids.events")

    def _counts(self, what: str, *files: str) -> bool:
        for folder in self.folders:
            for name in files:
                with contextlib.suppress(FileNotFoundError):
                    words = (folder / name).read_text().split()
                    if int(dict(zip(words[::2], words[1::2], strict=False)).get(what, 0)):
                        return True
        return False


def entering(group: Group | None) -> tuple[str, ...]:
    """Return the command that joins the group, if there is one, steps behind the apps, and then
    becomes another command."""
    enter = pathlib.Path(__file__).with_name("enter.py")
    folders = map(str, group.folders) if group else ()
    return (sys.executable, "-I", "-S", str(enter), *folders, "--")


def limits(sandbox: Sandbox, group: Group | None) -> tuple[str, ...]:
    """Return the command that bounds another by rlimits: no file is larger than all may be.

    Without a control group they bound memory and processes too. These hold for each process, not
    for the task (see `guarding`); they stand in a user namespace of the task's own, so that other
    processes of the same user are not counted.
    """
    alone = (f"--data={sandbox.memory_bytes}", f"--nproc={sandbox.processes}")
    bounded = () if group else alone
    return ("prlimit", f"--fsize={sandbox.disk_bytes}", *bounded, "--core=0", "--")


def version_in_force(name: str, root: pathlib.Path = _ROOT) -> int:
    """Return the version of the control groups that a running steward bounds tasks with; 0 where
    it could make none."""
    if all(folder.is_dir() for folder in _required(root, name)):
        return 2 if _is_version_two(root) else 1
    return 0


class Groups:
    """Makes control groups below one of Shipway's own, when this machine lets us."""

    def __init__(self, name: str, root: pathlib.Path = _ROOT) -> None:
        self._parents = _parents(root, name)

    @contextlib.asynccontextmanager
    async def holding(self, sandbox: Sandbox | None) -> AsyncIterator[Group | None]:
        """Make a group with these bounds for as long as a task runs; None where none can be."""
        group = self._make(sandbox) if sandbox and self._parents else None
        try:
            yield group
        finally:
            for folder in group.folders if group else ():
                await _remove(folder)

    def remove(self) -> None:
        """Remove Shipway's own group, once no task runs."""
        for parent in self._parents:
            with contextlib.suppress(OSError):
                parent.rmdir()

    def _make(self, sandbox: Sandbox) -> Group | None:
        assert self._parents
        name = f"task-{secrets.token_hex(8)}"
        folders = tuple(parent / name for parent in self._parents)
        try:
            for folder in folders:
                folder.mkdir(parents=True)
                _bound(folder, sandbox)
        except OSError:
            for folder in folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return None
        return Group(folders)


def _parents(root: pathlib.Path, name: str) -> tuple[pathlib.Path, ...]:
    """Make Shipway's own group and return its folders; empty when that is not possible."""
    if os.geteuid() != 0:
        return ()
    two, parents = _is_version_two(root), _required(root, name)
    try:
        for parent in parents:
            parent.mkdir(exist_ok=True)
            _clear(parent)
        if two:
            for folder in (root, *parents):
                (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return ()
    return parents + _sharing(root, name, parents)


def _sharing(
    root: pathlib.Path, name: str, parents: tuple[pathlib.Path, ...]
) -> tuple[pathlib.Path, ...]:
    """Have tasks yield processor and disk where the machine can do it, and return the folders
    that a task must join for it besides."""
    if _is_version_two(root):
        for controller in ("cpu", "io"):
            with contextlib.suppress(OSError):
                (root / "cgroup.subtree_control").write_text(f"+{controller}")
        besides: tuple[pathlib.Path, ...] = ()
    else:
        besides = (root / "cpu" / _own("cpu") / name,)
    try:
        for folder in besides:
            folder.mkdir(exist_ok=True)
            _clear(folder)
    except OSError:
        besides = ()
    for folder in (*parents, *besides):
        for file, share in _SHARES.items():
            if (folder / file).exists():
                (folder / file).write_text(share)
    return besides


def _is_version_two(root: pathlib.Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _required(root: pathlib.Path, name: str) -> tuple[pathlib.Path, ...]:
    """In version 2 a group with processes can have no bounded children, so ours is at the top;
    in version 1 it is inside the one that we are in, whose bounds hold for it too."""
    if _is_version_two(root):
        return (root / name,)
    return tuple(root / each / _own(each) / name for each in ("memory", "pids"))


def _own(controller: str) -> str:
    """Return the path of the group that we are in, as version 1 tells it."""
    for line in _OWN.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.strip("/")
    return ""


def _clear(parent: pathlib.Path) -> None:
    """Remove what a steward that was killed has left; groups of living tasks stay."""
    for left in parent.glob("task-*"):
        with contextlib.suppress(OSError):
            left.rmdir()


def _bound(folder: pathlib.Path, sandbox: Sandbox) -> None:
    memory = str(sandbox.memory_bytes)
    wanted = {
        "memory.max": memory,
        "memory.swap.max": "0",
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
        "pids.max": str(sandbox.processes),
    }
    for name, value in wanted.items():
        if (folder / name).exists():
            (folder / name).write_text(value)


async def _remove(folder: pathlib.Path) -> None:
    """Remove a group once the kernel has buried its last process, which it does on its own."""
    for attempt in range(8):
        with contextlib.suppress(FileNotFoundError):
            try:
                folder.rmdir()
            except OSError:
                await asyncio.sleep(0.01 * 2**attempt)
                continue
        return
