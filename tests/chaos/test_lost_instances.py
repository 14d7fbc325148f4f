"""Kills around a running app: its instances go on, and what is lost is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

import psutil
import pytest
from demo.load import Load
from demo.stage import Stage

from shipway import wiring
from shipway.client import wire
from shipway.kit import settings
from shipway.runtime.model import Observed

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]


WHOLE_SECONDS = 120
"""How long the platform may take to be whole again: the longest back-off, and some."""

PARTS = ("api", "worker", "intake", "steward", "edge", "store")


@pytest.fixture(autouse=True)
async def whole(tiny: Stage) -> None:
    """Begin with a whole platform, whatever the test before did to it."""
    async with asyncio.timeout(WHOLE_SECONDS):
        while not await is_whole(tiny):  # noqa: ASYNC110 -- what is down cannot tell
            await asyncio.sleep(0.1)


async def is_whole(tiny: Stage) -> bool:
    """Whether every part runs under its supervisor, with nothing of an earlier one left."""
    found = settings.load(home=tiny.shipway_home)
    try:
        async with tiny.api() as api:
            healthy = (await api.status()).healthy
        seen = {one.name: one for one in await wiring.keeper(found).services()}
    except Exception:  # noqa: BLE001 -- whatever it is: not yet
        return False
    return healthy and all(
        name in seen and seen[name].up and not seen[name].orphans for name in PARTS
    )


async def instances(tiny: Stage) -> Sequence[Observed]:
    """The services of production's live instances, as the keeper sees them."""
    async with tiny.api() as api:
        live = (await api.environment(tiny.app, "production")).live
    assert live
    found = settings.load(home=tiny.shipway_home)
    return await wiring.keeper(found).services(f"server.{tiny.app}.production.{live.release}")


async def until(holds: Callable[[wire.Environment], bool], tiny: Stage) -> wire.Environment:
    async with tiny.api() as api, asyncio.timeout(120):
        while not holds(seen := await api.environment(tiny.app, "production")):  # noqa: ASYNC110 -- the API is asked; nobody tells
            await asyncio.sleep(0.5)
    return seen


def kill(process: psutil.Process) -> None:
    """Send SIGKILL to a process that is surely ours."""
    assert process.pid > 1
    os.kill(process.pid, signal.SIGKILL)


async def test_an_instance_whose_supervisor_dies_is_replaced_without_a_failed_request(
    tiny: Stage,
) -> None:
    before = {one.pid for one in await instances(tiny)}
    lost = psutil.Process(min(before))
    supervisor = lost.parent()
    assert supervisor
    assert supervisor.name() == "s6-supervise"

    async with Load(tiny.url("production"), tiny.edge, tiny.ca_file, path="/") as users:
        kill(supervisor)
        async with asyncio.timeout(150):
            while lost.is_running() and lost.status() != psutil.STATUS_ZOMBIE:
                await users.see_any(times=50)
        await users.see_any(times=50)

    assert users.figures()["failures"] == []
    after = {one.pid for one in await instances(tiny)}
    assert len(after) == len(before)
    assert lost.pid not in after


async def test_an_instance_that_dies_is_back_at_the_same_address(tiny: Stage) -> None:
    async with tiny.api() as api:
        before = (await api.environment(tiny.app, "production")).instances
    (lost, *_) = await instances(tiny)

    kill(psutil.Process(lost.pid))

    after = await until(lambda seen: all(one.alive for one in seen.instances), tiny)
    assert {one.address for one in after.instances} == {one.address for one in before}


@pytest.mark.parametrize("part", ["api", "worker", "intake", "steward", "s6-svscan"])
async def test_no_app_notices_the_death_of_a_part_of_shipway(tiny: Stage, part: str) -> None:
    pids = {one.pid for one in await instances(tiny)}
    found = settings.load(home=tiny.shipway_home)

    async with Load(tiny.url("production"), tiny.edge, tiny.ca_file, path="/") as users:
        if part == "s6-svscan":
            root = psutil.Process(min(pids)).parent()
            assert root
            kill(next(up for up in root.parents() if up.name() == "s6-svscan"))
            await tiny.shipway("up")
        else:
            (service,) = [
                one for one in await wiring.keeper(found).services(part) if one.name == part
            ]
            kill(psutil.Process(service.pid))
        await users.see_any(times=200)
        async with asyncio.timeout(WHOLE_SECONDS):
            while not await is_whole(tiny):
                await users.see_any(times=20)

    assert users.figures()["failures"] == []
    assert {one.pid for one in await instances(tiny)} == pids
