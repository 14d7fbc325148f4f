"""A run is cancelled, or a deployment taken back, at one point or another: nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import psutil
import psycopg
import pytest
from demo.stage import Stage

from shipway import wiring
from shipway.client import wire
from shipway.database.clusters import Clusters
from shipway.environments.variables import Variables
from shipway.environments.vault import Vault
from shipway.kit import db, errors, settings
from shipway.runtime.model import Kind, Owner

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

TINY = "server/tiny/__init__.py"
WORDS = "server/tests/words.py"
T = TypeVar("T")
PLACES = ("staging", "production")
DEPLOYED = '__import__("os").environ.get("SHIPWAY_ENVIRONMENT")'


@contextlib.asynccontextmanager
async def pushed(tiny: Stage, path: str, change: Callable[[str], str]) -> AsyncIterator[wire.Run]:
    """Push a change and go on while its run does; leave when that is over. Then take it back."""
    before = (tiny.checkout / path).read_text()
    await tiny.commit(path, change, f"Change {path}")
    pushing = asyncio.create_task(tiny.git("push", "shipway", "main"))
    head = (await tiny.git("rev-parse", "HEAD")).strip()
    try:
        yield await until(lambda: run_of(tiny, head))
    finally:
        await pushing
        await tiny.commit(path, lambda _: before, f"Take back {path}")


async def comes_to(tiny: Stage, run: str, step: str) -> None:
    """Return when a run is in the middle of a step."""
    async with tiny.api() as api, asyncio.timeout(120):
        async for event in api.follow(run):
            if event.step and (event.step.name, event.step.state) == (step, "running"):
                return
    pytest.fail(f"{run} ended before {step}")


@contextlib.asynccontextmanager
async def leaving_nothing(tiny: Stage) -> AsyncIterator[list[str]]:
    """Look at the record and at the machine after a run, whose id the block adds, was cancelled."""
    before = await services(tiny)
    cancelled: list[str] = []
    yield cancelled
    (run,) = cancelled
    await until(lambda: all_over(tiny, run))
    async with tiny.api() as api:
        found = await api.run(run)
    assert (found.state, found.sentence) == ("cancelled", "Cancelled by owner.")
    assert {step.state for step in found.steps} & {"waiting", "running"} == set()
    builder = Owner(Kind.BUILD, tiny.app)
    folder = tiny.shipway_home / "owners" / builder.slug
    await until(lambda: gone(folder / "runs" / run))
    assert not list(folder.glob(f"installs/*-{run}"))
    await until(lambda: ended(tiny, builder))
    assert await services(tiny) <= before


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something to see, and return it."""
    async with asyncio.timeout(90):
        while not (seen := await look()):  # noqa: ASYNC110 -- the API is asked; nobody tells
            await asyncio.sleep(0.05)
    return seen


async def run_of(tiny: Stage, commit: str) -> wire.Run | None:
    last = await tiny.last_run()
    return last if last.commit == commit else None


async def all_over(tiny: Stage, run: str) -> bool:
    """Whether a run has ended, and no deployment of the app waits or runs."""
    async with tiny.api() as api:
        over = (await api.run(run)).over
        pages = [await api.deployments(tiny.app, place, limit=5) for place in PLACES]
    return over and all(one.over for page in pages for one in page.items)


async def gone(folder: pathlib.Path) -> bool:
    return not folder.exists()


async def services(tiny: Stage) -> set[str]:
    found = await wiring.keeper(settings.load(home=tiny.shipway_home)).services("server.")
    return {one.name for one in found}


async def ended(tiny: Stage, owner: Owner) -> bool:
    """Whether no process of an owner runs, where it has an OS user of its own."""
    if os.geteuid() != 0:
        return True
    uid = pwd.getpwnam(owner.user(str(tiny.shipway_home.resolve()))).pw_uid
    return not any(
        process.info["uids"].real == uid and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["uids", "status"])
    )


@pytest.mark.parametrize("step", ["test unit", "server"])
async def test_cancelled_in_a_test_or_a_build(tiny: Stage, step: str) -> None:
    def slow(text: str) -> str:
        return f"{text}\n# {step}\n__import__('time').sleep(100 * ('unit' in {step!r}))\n"

    async with leaving_nothing(tiny) as cancelled, pushed(tiny, WORDS, slow) as run:
        await comes_to(tiny, run.id, step)
        assert "Cancelled by owner." in await tiny.shipway("cancel", run.id)
        cancelled.append(run.id)


async def test_cancelled_while_a_migration_waits_for_a_lock(tiny: Stage) -> None:
    live = await tiny.live("staging")
    waiting = tiny.checkout / "server" / "migrations" / "0002_waits.sql"
    waiting.write_text("alter table notes add column colour text;")
    await tiny.git("add", ".")
    async with (
        leaving_nothing(tiny) as cancelled,
        notes_locked(tiny) as sessions,
        pushed(tiny, TINY, lambda text: text + "\n# waits for a lock\n") as run,
    ):
        await comes_to(tiny, run.id, "deploy staging")
        await until(sessions)
        await tiny.shipway("cancel", run.id)
        cancelled.append(run.id)
        await until(lambda: all_over(tiny, run.id))
        assert not await sessions()
        waiting.unlink()
    assert await tiny.live("staging") == live


async def test_cancelled_while_staging_starts(tiny: Stage) -> None:
    live, before = await tiny.live("staging"), await services(tiny)

    def unready(text: str) -> str:
        return text.replace('FAULT = ""', f'FAULT = "unready" if {DEPLOYED} else ""')

    async with leaving_nothing(tiny) as cancelled, pushed(tiny, TINY, unready) as run:
        await comes_to(tiny, run.id, "deploy staging")
        await until(lambda: more_than(before, tiny))
        await tiny.shipway("cancel", run.id)
        cancelled.append(run.id)
    assert await tiny.live("staging") == live


async def test_cancelled_while_it_waits_for_approval(tiny: Stage) -> None:
    await tiny.commit(TINY, lambda text: text + "\n# never approved\n", "Change my mind")
    run = await tiny.deliver()
    async with tiny.api() as api:
        release = (await api.releases(tiny.app, limit=1)).items[0]

    await tiny.shipway("cancel", run.id)

    async with tiny.api() as api:
        assert (await api.release(tiny.app, release.id)).state == "refused"
        with pytest.raises(errors.Refused, match="is not ready: it is refused"):
            await api.approve(tiny.app, "production", release=release.version)
    said = await until(lambda: end_of(tiny, release.id))
    assert f"{release.version} goes no further. Cancelled by owner." in said


async def test_a_rollback_withdraws_the_release_that_is_entering(tiny: Stage) -> None:
    live = await tiny.live("production")
    before = await services(tiny)

    def unready(text: str) -> str:
        there = f'{DEPLOYED} == "production"'
        return text.replace('FAULT = ""', f'FAULT = "unready" if {there} else ""')

    async with pushed(tiny, TINY, unready):
        pass
    async with tiny.api() as api:
        newest = (await api.releases(tiny.app, limit=1)).items[0]
    staging = await services(tiny)
    await tiny.shipway("approve", newest.version, "--app", tiny.app, person="ada")
    await until(lambda: more_than(staging, tiny))

    said = await tiny.shipway(
        "rollback", "production", "--app", tiny.app, "--reason", "no", person="ada"
    )

    kept = f"production keeps {live}: {newest.version} was not deployed."
    assert said.splitlines()[-1] == f"{kept} ada took it back: no."
    await tiny.expect("production", live)
    assert await services(tiny) <= before | staging


async def more_than(before: set[str], tiny: Stage) -> set[str]:
    """Return the instances that have come since."""
    return await services(tiny) - before


async def end_of(tiny: Stage, release: str) -> str:
    """Return what the promotion of a release that was given up has said, or "" before that."""
    url = settings.load(home=tiny.shipway_home).database_url
    async with await psycopg.AsyncConnection.connect(url) as store:
        sql = "select sentence from releases.events where key = %s"
        row = await (await store.execute(sql, [f"{release}:promotion.failed"])).fetchone()
    return str(row[0]) if row else ""


@contextlib.asynccontextmanager
async def notes_locked(tiny: Stage) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Hold a lock that a migration of staging's notes waits for; give a count of who waits."""
    found = settings.load(home=tiny.shipway_home)
    store = db.Database(found.database_url, name="test", size=1)
    await store.open()
    variables = Variables(store, Vault.at(found.home, opens=True))
    clusters = Clusters(wiring.keeper(found), found.home, variables, variables.given_database)
    url = (await clusters.access(tiny.app, "staging")).admin_url
    async with (
        await psycopg.AsyncConnection.connect(url) as holder,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as observer,
    ):
        await holder.execute("lock table notes in access exclusive mode")

        async def waiting() -> int:
            sql = "select from pg_stat_activity where usename = 'schema_owner'"
            return len(await (await observer.execute(sql)).fetchall())

        yield waiting
    await store.close()
