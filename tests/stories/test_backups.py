"""The database of an app is backed up by itself, and by the commands that its people type."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from demo.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]


async def status(tiny: Stage, environment: str = "production") -> dict[str, Any]:
    said = await tiny.told("db", "status", "--env", environment, "--json")
    found: dict[str, Any] = json.loads(said)
    return found


async def backed_up(tiny: Stage, environment: str = "production") -> dict[str, Any]:
    """Wait until the schedule has taken a first backup."""
    async with asyncio.timeout(300):
        while True:
            found = await status(tiny, environment)
            failed = [one["sentence"] for one in found["operations"] if one["state"] == "failed"]
            assert not failed
            if found["repositories"][0]["backups"]:
                return found
            await asyncio.sleep(0.5)


async def test_a_database_is_backed_up_by_itself(tiny: Stage) -> None:
    for environment, policy in (("production", "continuous"), ("staging", "daily")):
        found = await backed_up(tiny, environment)
        assert found["policy"] == policy
        (repository,) = found["repositories"]
        assert repository["backups"][0]["kind"] == "full"
        assert repository["good"], repository["sentence"]
        assert repository["reachable"]


async def test_a_backup_and_a_check_can_be_asked_for(tiny: Stage) -> None:
    before = (await backed_up(tiny))["repositories"][0]["backups"]

    assert "The folder has 2" in await tiny.shipway("backup", "run")
    listed = json.loads(await tiny.told("backup", "list", "--json"))
    after = listed["repositories"][0]["backups"]
    assert len(after) > len(before)

    checked = await tiny.shipway("backup", "check")
    assert "The folder has every segment up to" in checked
    assert "Every checksum holds." in checked
    assert (await status(tiny))["repositories"][0]["intact"]

    worries = " ".join((await status(tiny))["worries"])
    assert "the policy asks for 2: `shipway backup bucket --env production` adds another" in worries
    keys = await tiny.shipway("backup", "keys")
    assert "tiny production, the folder: " in keys
    assert "Nobody has taken the keys" not in " ".join((await status(tiny))["worries"])
