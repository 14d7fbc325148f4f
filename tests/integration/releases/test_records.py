"""The record of releases and deployments, where two are at it at once."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from shipway.kit import clock, db
from shipway.releases.model import Deployment, Release
from shipway.releases.records import Deployments, Releases

pytestmark = pytest.mark.anyio

HOUR = datetime.timedelta(hours=1)


async def released(database: db.Database, run: str) -> Release:
    return await Releases(database).add(
        app="tiny",
        run=run,
        commit="0" * 40,
        schema_head="",
        artifacts={},
        product="",
        changelog="",
        authors=["ada"],
    )


async def lived(
    database: db.Database, release: Release, name: str, *, served_by: str = ""
) -> Deployment:
    """Deploy a release, or take it back with the instances of another deployment."""
    deployments = Deployments(database)
    asked = await deployments.ask(
        id=name,
        release=release,
        environment="production",
        kind="rollback" if served_by else "deploy",
        by="ada",
        reason="",
    )
    await deployments.begin(asked.id, served_by=served_by or asked.id, before=None)
    begun = await deployments.get(asked.id)
    await deployments.become_live(begun, sentence="It serves.", warm_until=clock.now() + HOUR)
    return await deployments.get(asked.id)


async def test_runs_that_end_together_get_a_version_each(database: db.Database) -> None:
    made = await asyncio.gather(*(released(database, f"run_{n}") for n in range(6)))

    assert sorted(release.number for release in made) == [1, 2, 3, 4, 5, 6]


async def test_a_warm_deployment_is_held_until_a_rollback_is_done(database: db.Database) -> None:
    deployments = Deployments(database)
    old = await lived(database, await released(database, "run_1"), "dep_1")
    await lived(database, await released(database, "run_2"), "dep_2")
    just_before = clock.now() + HOUR - datetime.timedelta(seconds=5)

    assert await deployments.hold(old.id, now=just_before, until=just_before + HOUR)
    assert not await deployments.cooled(just_before + HOUR / 2)


async def test_a_deployment_that_has_cooled_is_not_held(database: db.Database) -> None:
    deployments = Deployments(database)
    old = await lived(database, await released(database, "run_1"), "dep_1")
    await lived(database, await released(database, "run_2"), "dep_2")
    late = clock.now() + 2 * HOUR

    assert [one.id for one in await deployments.cooled(late)] == [old.id]
    assert not await deployments.hold(old.id, now=late, until=late + HOUR)
    assert [one.id for one in await deployments.cooled(late)] == [old.id]


async def test_instances_that_came_back_stay_warm_with_the_last_to_use_them(
    database: db.Database,
) -> None:
    """Back to v1, on to v3, back to v1, on to v4: the first way back is no more in the way."""
    deployments = Deployments(database)
    first = await released(database, "run_1")
    await lived(database, first, "dep_1")
    await lived(database, await released(database, "run_2"), "dep_2")
    await lived(database, first, "dep_3", served_by="dep_1")
    await lived(database, await released(database, "run_3"), "dep_4")
    await lived(database, first, "dep_5", served_by="dep_1")
    await lived(database, await released(database, "run_4"), "dep_6")

    cooled = await deployments.cooled(clock.now() + HOUR / 2)

    assert [one.id for one in cooled] == ["dep_2", "dep_4"]
    assert (await deployments.get("dep_5")).state == "warm"


async def test_the_newest_and_the_live_deployment_of_many_places_are_found_at_once(
    database: db.Database,
) -> None:
    deployments = Deployments(database)
    await lived(database, await released(database, "run_1"), "dep_1")
    await lived(database, await released(database, "run_2"), "dep_2")
    third = await released(database, "run_3")
    for environment in ("production", "staging"):
        await deployments.ask(
            id=f"dep_3_{environment}",
            release=third,
            environment=environment,
            kind="deploy",
            by="ada",
            reason="",
        )

    found = await deployments.newest([("tiny", "production"), ("other", "production")])

    assert [(one.id, one.state) for one in found] == [
        ("dep_3_production", "waiting"),
        ("dep_2", "live"),
    ]
