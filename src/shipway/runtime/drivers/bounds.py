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


@dataclass(frozen=True)
class Group:
    """The folders of one control group: one in version 2, one per controller in version 1."""

    folders: tuple[pathlib.Path, ...]

    def joining(self) -> tuple[str, ...]:
        """Return the command that joins the group, then becomes another command."""
        enter = pathlib.Path(__file__).with_name("enter.py")
        return (sys.executable, "-I", "-S", str(enter), *map(str, self.folders), "--")

    def ran_out_of_memory(self) -> bool:
        """Say whether the kernel has killed anything here for want of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(FileNotFoundError):
                    words = (folder / name).read_text().split()
                    if int(dict(zip(words[::2], words[1::2], strict=False)).get("oom_kill", 0)):
                        return True
        return False


def limits(sandbox: Sandbox) -> tuple[str, ...]:
    """Return the command that bounds another by rlimits, where no control group can be made.

    These hold for each process, not for the task; they stand in a user namespace of the task's
    own, so that other processes of the same user are not counted.
    """
    return (
        "prlimit", f"--data={sandbox.memory_bytes}", f"--nproc={sandbox.processes}", "--core=0", "--",
    )  # fmt: skip


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
    two = (root / "cgroup.controllers").exists()
    # In version 2 a group with processes can have no bounded children, so ours is at the top;
    # in version 1 it is inside the one that we are in, whose bounds hold for it too.
    above = (root,) if two else tuple(root / each / _own(each) for each in ("memory", "pids"))
    parents = tuple(folder / name for folder in above)
    try:
        for parent in parents:
            parent.mkdir(exist_ok=True)
            _clear(parent)
        if two:
            for folder in (root, *parents):
                (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return ()
    return parents


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
