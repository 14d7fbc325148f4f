from __future__ import annotations

import pytest
from tests.fakes.platform import Live
from tests.integration.api.test_releases import a_release, in_production

from shipway.client.client import Client
from shipway.database.measuring import Lock, Measured
from shipway.database.model import Migration, Report, Statement
from shipway.database.rehearsal import Rehearsal, Seen
from shipway.kit import clock, errors
from shipway.releases.model import Release

pytestmark = pytest.mark.anyio

INDEX = "create index i on orders (a)"


def rehearsal(release: Release) -> Rehearsal:
    measured = Measured(statement=INDEX, seconds=2.0, locks=(Lock("orders", "ShareLock", 2.0),))
    return Rehearsal(
        id=f"rhs_{release.number}",
        app="tiny",
        environment="production",
        release=release.id,
        version=release.version,
        state="blocked",
        sentence="It takes too long.",
        reasons=("It takes too long.",),
        seen=Seen(copy="A copy.", load="A load.", measured=(measured,)),
        at=clock.now(),
    )


async def migrated(live: Live, release: Release, before: str, after: str) -> None:
    migration = Migration(
        app="tiny",
        environment="production",
        deployment=f"dep_{release.number}",
        release=release.id,
        argv=("true",),
        head_argv=("true",),
        cwd=".",
        owner_url="",
    )
    await live.platform.schema.begin(migration, before, None)
    report = Report(
        before=before, after=after, statements=(Statement(INDEX, 2.0, 2.5),), attempts=1, seconds=3
    )
    await live.platform.schema.end(migration, report)


async def test_a_plan_tells_what_was_measured(live: Live, viewer: Client) -> None:
    release = await a_release(live)
    await live.platform.rehearsed.keep(rehearsal(release))

    plan = await viewer.plan("tiny", "production")

    assert (plan.version, plan.state, plan.over) == (release.version, "blocked", True)
    (statement,) = plan.statements
    assert (statement.sql, statement.lock, statement.lock_seconds) == (INDEX, "SHARE", 2.0)


async def test_a_release_that_was_not_rehearsed_has_no_plan(live: Live, viewer: Client) -> None:
    release = await a_release(live)
    with pytest.raises(errors.NotFound, match=f"{release.version} was not rehearsed"):
        await viewer.plan("tiny", "production", release=release.version)


async def test_the_history_tells_each_migration_newest_first(live: Live, viewer: Client) -> None:
    first, second = await a_release(live), await a_release(live)
    await migrated(live, first, "", "0001")
    await migrated(live, second, "0001", "0002")

    page = await viewer.migrations("tiny", "production", limit=1)
    rest = await viewer.migrations("tiny", "production", limit=1, after=page.next)

    assert [one.after for one in (*page.items, *rest.items)] == ["0002", "0001"]
    assert page.items[0].release == second.version
    assert page.items[0].statements[0].locked_seconds == 2.5


async def test_a_rehearsal_is_asked_for_and_started(live: Live, approver: Client) -> None:
    await a_release(live)
    with pytest.raises(errors.Refused, match="tiny has no database"):
        await approver.rehearse("tiny", "production")


async def test_the_way_back_is_refused_while_the_live_release_needs_the_schema(
    live: Live, approver: Client
) -> None:
    release = await a_release(live)
    await in_production(live, release)
    with pytest.raises(errors.Refused, match="No migration has changed the schema"):
        await approver.take_schema_back("tiny", "production")
    await migrated(live, release, "", "0001")
    with pytest.raises(errors.Refused, match="shipway rollback production"):
        await approver.take_schema_back("tiny", "production")


async def test_who_may_not_deploy_may_not_rehearse(live: Live, viewer: Client) -> None:
    await a_release(live)
    with pytest.raises(errors.Denied):
        await viewer.rehearse("tiny", "production")
