"""What a close watch does, with the real record."""

from __future__ import annotations

import datetime
import types
from typing import cast

import pytest

from shipway.health.outbox import Outbox
from shipway.kit import clock, db, settings
from shipway.releases import model
from shipway.releases.model import Deployment
from shipway.releases.records import Deployments, Releases
from shipway.workflows import watching
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

HOUR = datetime.timedelta(hours=1)


class Instances:
    """One instance of each deployment, which has died as often as the test says."""

    def __init__(self) -> None:
        self.died = 0

    async def running(self, app: str, environment: str) -> list[types.SimpleNamespace]:
        return [types.SimpleNamespace(deployment="dep_1"), types.SimpleNamespace(deployment="old")]

    async def crashes(self, instance: types.SimpleNamespace) -> int:
        return self.died if instance.deployment == "dep_1" else 7


async def live(database: db.Database, *, watch: str) -> Deployment:
    release = await Releases(database).add(
        app="tiny",
        run="run_1",
        commit="1" * 40,
        schema_head="",
        artifacts={},
        product="",
        changelog="",
        authors=[],
    )
    deployments = Deployments(database)
    asked = await deployments.ask(
        id="dep_1",
        release=release,
        environment="production",
        kind="deploy",
        by="olga",
        reason="",
        watch=watch,
    )
    await deployments.become_live(asked, sentence="", warm_until=clock.now() + HOUR)
    return await deployments.get(asked.id)


async def test_a_crash_under_a_close_watch_is_told_once(database: db.Database) -> None:
    instances = Instances()
    parts = types.SimpleNamespace(
        deployments=Deployments(database),
        releases=Releases(database),
        outbox=Outbox(database),
        instances=instances,
    )
    on = cast("Platform", parts)
    deployment = await live(database, watch="it is a hotfix")

    await watching.watch(on)
    assert await parts.releases.events(deployment.id) == []
    instances.died = 2
    await watching.watch(on)
    instances.died = 3
    await watching.watch(on)

    (told,) = await parts.releases.events(deployment.id)
    assert told.sentence == (
        "v1 in production is watched closely, and its instances have died 2 time(s)."
        " `shipway rollback production` takes it back."
    )


async def test_a_close_watch_ends_and_says_until_when(database: db.Database) -> None:
    deployment = await live(database, watch="it is a hotfix")
    assert deployment.watched_until

    said = model.watch_sentence(deployment, clock.now())
    assert said.startswith("Watched closely until ")
    assert said.endswith(": it is a hotfix.")
    assert await Deployments(database).watched(clock.now())
    assert model.watch_sentence(deployment, clock.now() + HOUR) == ""
    assert not await Deployments(database).watched(clock.now() + HOUR)


async def test_only_what_is_marked_is_watched(database: db.Database) -> None:
    deployment = await live(database, watch="")
    given = settings.load()

    assert not await Deployments(database).watched(clock.now())
    assert watching.warm_time(deployment, given) == HOUR
    assert watching.crashes_that_tell(deployment) == 3


async def test_the_release_before_a_watched_one_stays_warm_for_longer(
    database: db.Database,
) -> None:
    deployment = await live(database, watch="it is a hotfix")

    assert watching.warm_time(deployment, settings.load()) == 4 * HOUR
    assert watching.crashes_that_tell(deployment) == 1
