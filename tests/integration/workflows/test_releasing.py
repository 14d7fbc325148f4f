"""Who wrote a release: all whose commits its users get with it."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any, cast

import pytest

from shipway.builds.model import RunKind, State
from shipway.builds.records import Runs
from shipway.health.outbox import Outbox
from shipway.kit import clock, db
from shipway.releases.records import Deployments, Releases
from shipway.workflows import ending, names
from shipway.workflows.delivering import Delivering, Work
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

FILE = """
name = "tiny"
[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"
[environments.production]
domain = "tiny.example.org"
"""


def commit(number: int) -> str:
    return f"{number:040x}"


class History:
    """Commits 1, 2, 3, …: each number's author has that number too."""

    async def file_at(self, app: str, commit: str, path: str) -> str:
        return FILE

    async def commits_between(self, app: str, after: str | None, until: str) -> list[Any]:
        first = int(after, 16) if after else 0
        numbers = range(int(until, 16), first, -1)
        return [types.SimpleNamespace(email=f"author{n}", subject=f"Do {n}") for n in numbers]

    async def authors(self, app: str, after: str | None, until: str) -> frozenset[str]:
        return frozenset(c.email for c in await self.commits_between(app, after, until))


class Everybody:
    async def by_emails(self, emails: Iterable[str]) -> set[str]:
        return set(emails)


class Builder:
    async def clean_up(self, run: str, app: str) -> None: ...


@pytest.fixture
def platform(database: db.Database) -> Platform:
    parts = types.SimpleNamespace(
        runs=Runs(database),
        sources=History(),
        people=Everybody(),
        builder=Builder(),
        releases=Releases(database),
        deployments=Deployments(database),
        outbox=Outbox(database),
    )
    return cast("Platform", parts)


async def release_of(platform: Platform, number: int) -> str:
    run = await platform.runs.create(
        "tiny", "main", commit(number), push=number, kind=RunKind.FULL, by=f"pusher{number}"
    )
    work = Work(run=run.id, commit=commit(number), delivers=True, layers=())
    return await Delivering(platform).release(work, ())


async def test_authors_of_a_release_that_reached_nobody_are_authors_of_the_next(
    platform: Platform,
) -> None:
    first = await release_of(platform, 1)
    asked = await platform.deployments.ask(
        id="dep_1",
        release=await platform.releases.get(first),
        environment="production",
        kind="deploy",
        by="ada",
        reason="",
    )
    await platform.deployments.become_live(asked, sentence="", warm_until=clock.now())
    await release_of(platform, 2)  # refused, or not approved: nobody uses it

    third = await platform.releases.get(await release_of(platform, 3))

    assert third.authors == ("author2", "author3", "pusher2", "pusher3")
    assert third.changelog == "- Do 3\n- Do 2"


async def test_the_release_of_a_cancelled_run_goes_no_further(platform: Platform) -> None:
    made = await release_of(platform, 1)
    run = (await platform.releases.get(made)).run
    await platform.runs.set_state(run, State.CANCELLED, "Cancelled by ada.")

    await Delivering(platform).cancel(run, "Cancelled by ada.")

    assert (await platform.releases.get(made)).state == "refused"
    assert (await platform.runs.get(run)).sentence == "Cancelled by ada."


async def test_a_run_that_was_given_up_fails_with_a_sentence_and_is_told(
    platform: Platform, database: db.Database
) -> None:
    made = await release_of(platform, 1)
    run = (await platform.releases.get(made)).run
    do = cast("ending.Stories", types.SimpleNamespace(delivering=Delivering(platform)))

    for _ in range(2):
        await ending.end(names.DELIVER, {"run": run}, do)

    ended = await platform.runs.get(run)
    assert (ended.state, ended.sentence) == (State.FAILED, ending.WHY)
    (told,) = await database.rows("select event, sentence from health.outbox")
    assert told["event"] == "run.failed"
    assert ending.WHY in told["sentence"]
