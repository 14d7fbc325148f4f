"""What a task may use, beyond what the kernel bounds."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

from shipway.kit import command, disk, errors
from shipway.runtime.drivers import bounds, guarding
from shipway.runtime.model import Kind, Owner, Sandbox, Task

pytestmark = pytest.mark.anyio

GIB = 1024**3
TASK = Task(owner=Owner(Kind.BUILD, "tiny"), argv=("work",), key="k", sandbox=Sandbox())


def space(**changes: int) -> disk.Space:
    return disk.Space(**{"where": "/", "free": 9 * GIB, "size": 20 * GIB} | changes)  # type: ignore[arg-type]


def test_a_disk_keeps_its_reserve() -> None:
    assert guarding.short(space(), GIB) is None
    found = guarding.short(space(free=GIB - 1), GIB)
    assert found
    assert "1024.0 MiB are left on the disk, 1.0 GiB are kept back" in found.what
    assert "shipway housekeeping" in found.fix


def test_a_disk_without_room_for_files_is_full() -> None:
    found = guarding.short(space(files=1_000_000, files_free=9_999), GIB)
    assert found
    assert "9,999 of 1,000,000 files" in found.what


async def test_memory_is_looked_at_where_no_group_bounds_it(tmp_path: pathlib.Path) -> None:
    guard = guarding.Guard(
        folder=tmp_path, sandbox=Sandbox(memory_bytes=1024), reserve=0, grouped=False
    )
    found = await guard.exceeded(os.getpid())
    assert found.what.startswith("ran out of memory")


async def test_what_was_there_before_is_not_counted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_bytes(bytes(100_000))
    box = Sandbox(writable=("out",), disk_bytes=100_000)
    began = (tmp_path / "out" / "old").stat().st_ctime + 0.001
    guard = guarding.Guard(folder=tmp_path, sandbox=box, reserve=0, grouped=True, _began=began)
    assert guard._written_by_now() == 0
    new = tmp_path / "out" / "new"
    new.write_bytes(bytes(200_000))
    while new.stat().st_ctime < began:  # the kernel's clock for files ticks slowly
        new.write_bytes(bytes(200_000))
    os.utime(new, (0, 0))
    os.link(new, tmp_path / "out" / "again")
    assert 200_000 <= guard._written_by_now() < 300_000


async def test_a_task_that_is_ended_says_its_name(tmp_path: pathlib.Path) -> None:
    sleeper = command.Command(argv=(sys.executable, "-c", "import time; time.sleep(60)"))
    guard = guarding.Guard(
        folder=tmp_path, sandbox=Sandbox(memory_bytes=1024), reserve=0, grouped=False
    )
    with pytest.raises(errors.Failed, match="`work` ran out of memory"):
        await guarding.run(TASK, sleeper, lambda _: None, guard=guard, group=None)


async def test_a_fork_bomb_that_runs_out_of_time_is_told_as_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pids.events").write_text("max 4711\n")
    late = command.Command(argv=(sys.executable, "-c", "import time; time.sleep(60)"), timeout=0.05)
    group = bounds.Group((tmp_path,))
    with pytest.raises(errors.Failed, match=r"`work` started more processes.*\(limit 512\)"):
        await guarding.run(TASK, late, lambda _: None, guard=None, group=group)
