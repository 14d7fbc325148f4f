"""Which policy a release is judged by: never a weaker one than it found."""

from __future__ import annotations

import pytest

from shipway.access.approvals import Approvals
from shipway.access.model import Role
from shipway.access.people import People
from shipway.kit import clock, db
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.workflows import approving
from shipway.workflows.approving import Approving

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
NONE = FILE + '[environments.production.policy]\napprovals = 0\nreason = "We are one."\n'
TWO = FILE + "[environments.production.policy]\napprovals = 2\nrollout = [10, 100]\n"


@pytest.fixture
async def judge(database: db.Database) -> Approving:
    people = People(database)
    await people.add("dev", Role.DEVELOPER)
    await people.add("ada", Role.APPROVER)
    return Approving(Releases(database), Deployments(database), Approvals(database), people)


async def released(judge: Approving, product: str) -> Release:
    number = len(await judge.releases.list("tiny")) + 1
    return await judge.releases.add(
        app="tiny",
        run=f"run_{number}",
        commit=f"{number:040x}",
        schema_head="",
        artifacts={},
        product=product,
        changelog="",
        authors=["dev"],
    )


async def goes_live(judge: Approving, release: Release) -> None:
    asked = await judge.deployments.ask(
        id=f"dep_{release.number}",
        release=release,
        environment="production",
        kind="deploy",
        by="ada",
        reason="",
    )
    await judge.deployments.become_live(asked, sentence="", warm_until=clock.now())


async def wanted(judge: Approving, release: Release) -> str:
    return (await judge.decide(release, "production")).sentences[0]


async def test_a_push_does_not_take_away_its_own_approval(judge: Approving) -> None:
    first = await released(judge, NONE)
    assert await wanted(judge, first) == "0 of 1 approvals given."
    await goes_live(judge, await released(judge, FILE))

    assert await wanted(judge, await released(judge, NONE)) == "0 of 1 approvals given."


async def test_a_weaker_policy_holds_once_it_is_live(judge: Approving) -> None:
    await goes_live(judge, await released(judge, NONE))

    assert await wanted(judge, await released(judge, NONE)) == "No approval is needed."
    assert await wanted(judge, await released(judge, FILE)) == "0 of 1 approvals given."


async def test_a_stricter_policy_holds_at_once_and_until_another_is_live(judge: Approving) -> None:
    await goes_live(judge, await released(judge, FILE))
    strict = await released(judge, TWO)
    assert await wanted(judge, strict) == "0 of 2 approvals given."
    await goes_live(judge, strict)

    assert await wanted(judge, await released(judge, FILE)) == "0 of 2 approvals given."


async def test_an_owner_accepts_a_weaker_policy_with_a_reason(judge: Approving) -> None:
    await goes_live(judge, await released(judge, FILE))
    weaker = await released(judge, NONE)
    await judge.approvals.give(weaker.id, "production", "ada", "tried")
    await judge.people.add("olga", Role.OWNER)

    decision = await judge.decide(weaker, "production")
    assert not decision.enough
    assert decision.sentences[-1] == (
        "production would have approvals = 0 instead of 1:"
        " olga must accept that by a yes with a reason."
    )
    await judge.approvals.give(weaker.id, "production", "olga", "We are few.")
    assert (await judge.decide(weaker, "production")).enough


async def test_the_rollout_is_the_one_that_the_release_asks_for(judge: Approving) -> None:
    assert approving.rollout_of(await released(judge, TWO), "production") == (100, 1000)
    assert approving.rollout_of(await released(judge, FILE), "production") == (1000,)
