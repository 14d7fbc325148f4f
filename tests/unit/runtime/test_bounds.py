"""Control groups of both versions, as folders."""

from __future__ import annotations

import os
import pathlib

import pytest

from shipway.runtime.drivers import bounds
from shipway.runtime.model import Sandbox

pytestmark = pytest.mark.anyio

BOX = Sandbox(memory_bytes=1000, processes=7)


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    own = tmp_path / "own"
    own.write_text("4:memory:/outer\n3:cpu,pids:/\n0::/\n")
    monkeypatch.setattr(bounds, "_OWN", own)
    return tmp_path / "cgroup"


def files_in(folder: pathlib.Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")


def test_version_two_is_bounded_at_the_top(root: pathlib.Path) -> None:
    files_in(root, "cgroup.controllers", "cgroup.subtree_control")
    files_in(root / "shipway-x", "cgroup.subtree_control")
    groups = bounds.Groups("shipway-x", root)
    assert groups._parents == (root / "shipway-x",)
    assert (root / "shipway-x" / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert bounds.version_in_force("shipway-x", root) == 2
    group = root / "shipway-x" / "task-1"
    files_in(group, "memory.max", "memory.swap.max", "pids.max")
    bounds._bound(group, BOX)
    assert (group / "memory.max").read_text() == "1000"
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "pids.max").read_text() == "7"


def test_version_one_is_bounded_inside_our_own_group(root: pathlib.Path) -> None:
    (root / "memory" / "outer").mkdir(parents=True)
    (root / "pids").mkdir()
    groups = bounds.Groups("shipway-x", root)
    assert groups._parents == (root / "memory/outer/shipway-x", root / "pids/shipway-x")
    assert bounds.version_in_force("shipway-x", root) == 1
    groups.remove()
    assert not (root / "pids/shipway-x").exists()
    assert bounds.version_in_force("shipway-x", root) == 0


def test_tasks_yield_the_processor_to_apps(root: pathlib.Path) -> None:
    for folder in ("memory/outer", "pids", "cpu/shipway-x"):
        (root / folder).mkdir(parents=True)
    files_in(root / "cpu" / "shipway-x", "cpu.shares")
    groups = bounds.Groups("shipway-x", root)
    assert groups._parents[-1] == root / "cpu/shipway-x"
    assert (root / "cpu/shipway-x/cpu.shares").read_text() == "256"


async def test_without_control_groups_there_are_rlimits(root: pathlib.Path) -> None:
    async with bounds.Groups("shipway-x", root).holding(BOX) as group:
        assert group is None
    assert {"--data=1000", "--nproc=7"} <= set(bounds.limits(BOX, None))


async def test_a_group_lives_as_long_as_its_task(root: pathlib.Path) -> None:
    (root / "memory" / "outer").mkdir(parents=True)
    (root / "pids").mkdir()
    async with bounds.Groups("shipway-x", root).holding(BOX) as group:
        assert group
        assert all(folder.is_dir() for folder in group.folders)
        assert not group.ran_out_of_memory()
        (group.folders[0] / "memory.oom_control").write_text("under_oom 0\noom_kill 2\n")
        assert group.ran_out_of_memory()
        (group.folders[0] / "memory.oom_control").unlink()
    assert not any(folder.exists() for folder in group.folders)


@pytest.mark.parametrize(
    ("events", "ran_out"), [("oom 0\noom_kill 0\n", False), ("oom_kill 1", True)]
)
def test_events_of_version_two_are_read(
    tmp_path: pathlib.Path,
    events: str,
    ran_out: bool,  # noqa: FBT001 -- a case's outcome
) -> None:
    (tmp_path / "memory.events").write_text(events)
    assert bounds.Group((tmp_path,)).ran_out_of_memory() is ran_out
