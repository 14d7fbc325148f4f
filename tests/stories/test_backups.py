"""The database of an app is backed up by itself, and by the commands that its people type."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
from typing import Any

import pytest
from demo.stage import Failed, Stage
from tests.stories.changing import answer

from shipway.kit import command
from shipway.runtime.model import Kind, Owner

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
            if found["repositories"][0]["backups"]:
                return found
            failed = [one["sentence"] for one in found["operations"] if one["state"] == "failed"]
            assert not failed
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


async def sql(tiny: Stage, statement: str, environment: str = "production") -> list[str]:
    """Ask the live database of an environment, as the OS user who owns it."""
    owner = Owner(Kind.CLUSTER, tiny.app, environment)
    home = tiny.shipway_home
    found = (home / "owners" / owner.slug).stat()
    done = await command.run(
        command.Command(
            argv=("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement),
            env={
                **command.base_environment(),
                "PGHOST": owner.sockets(str(home)),
                "PGUSER": "postgres",
                "PGDATABASE": tiny.app,
            },
            ids=(found.st_uid, found.st_gid) if os.geteuid() == 0 else None,
            cwd=pathlib.Path("/"),
        )
    )
    return done.output.split()


async def test_rows_that_were_deleted_come_back_and_then_everything(tiny: Stage) -> None:
    await backed_up(tiny)
    await sql(tiny, "insert into notes (text) values ('milk'), ('bread')")
    before = await sql(tiny, "select text from notes order by id")
    (day, time) = await sql(tiny, "select clock_timestamp()")
    await sql(tiny, "delete from notes")
    await sql(tiny, "create table later ()")
    moment = f"{day} {time}"

    preview = await tiny.shipway("db", "restore", "--to", moment, "--preview", person="ada")
    assert "Putting the copy in place would take back what was written in the last" in preview
    restored = await tiny.shipway("db", "restore", "--to", moment, person="ada")
    assert "A copy of tiny in production as of 20" in restored
    assert "2 of 3 tables differ: public.later, public.notes." in restored
    with pytest.raises(Failed, match=r"A copy of tiny in production \(.*\) stands already"):
        await tiny.shipway("db", "restore", person="ada")

    back = await tiny.shipway("db", "bring-back", "notes", person="ada")
    assert f"{len(before)} row(s) of notes came back." in back
    assert await sql(tiny, "select text from notes order by id") == before
    assert await sql(tiny, "select to_regclass('later') is null") == ["f"]

    promoted = await tiny.shipway("db", "promote", "--yes", person="ada")
    assert "The copy is live in production. What was live can be restored" in promoted
    assert await sql(tiny, "select text from notes order by id") == before
    assert await sql(tiny, "select to_regclass('later') is null") == ["t"]
    assert (await answer(tiny, "production"))["database"] == "answers"

    await tiny.shipway("db", "discard", person="ada")
    assert (await status(tiny))["recovery"] is None


async def test_what_cannot_be_restored_is_told(tiny: Stage) -> None:
    await backed_up(tiny)
    for moment, why in (
        ("2999-01-01", "is in the future"),
        ("2026-01-01", "cannot be restored: what can be is from"),
        ("v999", "v999 was never live here"),
        ("before nothing", "No migration 'nothing' has run here"),
        ("soon", "'soon' is no moment"),
    ):
        with pytest.raises(Failed, match=why):
            await tiny.shipway("db", "restore", "--to", moment, person="ada")
    with pytest.raises(Failed, match="There is no copy of tiny in production"):
        await tiny.shipway("db", "promote", "--yes", person="ada")
