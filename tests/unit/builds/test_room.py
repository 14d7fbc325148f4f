"""Room for steps."""

from __future__ import annotations

import asyncio

import pytest

from shipway.builds.room import Room

pytestmark = pytest.mark.anyio


async def most_at_once(room: Room, wants: list[int]) -> int:
    running = most = 0

    async def step(memory: int) -> None:
        nonlocal running, most
        async with room.taken(memory):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(step(memory) for memory in wants))
    return most


async def test_there_are_never_more_steps_than_cores() -> None:
    assert await most_at_once(Room(cores=2, memory=100), [1] * 6) == 2


async def test_there_is_never_more_memory_lent_than_there_is() -> None:
    assert await most_at_once(Room(cores=8, memory=100), [60] * 4) == 1
    assert await most_at_once(Room(cores=8, memory=100), [50] * 4) == 2


async def test_a_step_that_wants_more_than_there_is_runs_alone() -> None:
    assert await most_at_once(Room(cores=4, memory=100), [1000, 1000]) == 1


async def test_a_step_that_gives_up_waiting_makes_way() -> None:
    room = Room(cores=1, memory=100)
    async with room.taken(1):
        waiting = asyncio.create_task(most_at_once(room, [1]))
        behind = asyncio.create_task(most_at_once(room, [1]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert await behind == 1
