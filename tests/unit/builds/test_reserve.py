"""Builds wait for room on the disk, and say so."""

from __future__ import annotations

import pathlib

import pytest

from shipway.builds import reserve
from shipway.builds.reserve import Reserve
from shipway.kit import disk, errors

pytestmark = pytest.mark.anyio

GIB = 1024**3
HERE = pathlib.Path("/")


def space(free: int, **changes: int) -> disk.Space:
    return disk.Space(where="/srv", free=free, size=100 * GIB, **changes)


def test_what_is_missing_is_said_in_figures() -> None:
    assert reserve.lack(space(3 * GIB), 2 * GIB) == ""
    assert reserve.lack(space(GIB), 2 * GIB) == "/srv has 1.0 GiB free, 2.0 GiB are needed."
    few = space(3 * GIB, files=100_000, files_free=1_999)
    assert reserve.lack(few, GIB) == "/srv can hold 1,999 more files, 2,000 are needed."
    assert reserve.lack(space(3 * GIB, files=0, files_free=0), GIB) == ""


async def test_with_room_nothing_is_said() -> None:
    said: list[str] = []
    await Reserve(HERE, GIB, measure=lambda _: space(GIB)).wait(said.append)
    assert not said


async def test_a_build_goes_on_when_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "LOOK_SECONDS", 0)
    free = iter([0, 0, GIB])
    said: list[str] = []
    await Reserve(HERE, GIB, measure=lambda _: space(next(free))).wait(said.append)
    assert said[0].startswith("This waits for room on the disk: /srv has 0 bytes free")
    assert said[-1] == "There is room again: this goes on."


async def test_in_the_end_a_build_is_refused() -> None:
    full = Reserve(HERE, GIB, patience=0, measure=lambda _: space(5))
    with pytest.raises(errors.Refused, match=r"/srv has 5 bytes free, 1.0 GiB are needed") as no:
        await full.wait(lambda _: None)
    assert "shipway housekeeping" in no.value.fix
