from __future__ import annotations

import asyncio
import datetime

import pytest
from tests.fakes.platform import Live

from shipway.client import wire
from shipway.client.client import Client
from shipway.kit import clock, errors
from shipway.releases.model import Deployment, Release

pytestmark = pytest.mark.anyio

PRODUCT = """
name = "tiny"
[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"
[environments.production]
domain = "tiny.example.org"
"""


async def a_release(live: Live, *, ready: bool = True) -> Release:
    if not await live.platform.apps.all():
        await live.platform.apps.create("tiny", "olga")
    number = len(await live.platform.releases.list("tiny"))
    made = await live.platform.releases.add(
        app="tiny",
        run=f"run_{number}",
        commit=f"{number}" * 40,
        schema_head="0001",
        artifacts={"server": "a" * 64},
        product=PRODUCT,
        changelog="- First",
        authors=["ana"],
    )
    if ready:
        await live.platform.releases.set_state(made.id, "ready")
    return made


async def in_production(live: Live, release: Release) -> Deployment:
    deployments = live.platform.deployments
    made = await deployments.ask(
        id=f"dep_{release.number}",
        release=release,
        environment="production",
        kind="deploy",
        by="bo",
        reason="",
    )
    live_now = await deployments.live("tiny", "production")
    await deployments.begin(made.id, served_by=made.id, before=live_now.id if live_now else None)
    await deployments.become_live(
        await deployments.get(made.id),
        sentence=f"{release.version} is live.",
        warm_until=clock.now() + datetime.timedelta(hours=1),
    )
    return await deployments.get(made.id)


async def test_a_release_is_shown_with_its_evidence(live: Live, viewer: Client) -> None:
    release = await a_release(live)
    await live.platform.releases.judge(
        release.id, "production", "approved", open=False, sentence="0 of 1 approvals given."
    )
    await live.platform.approvals.give(release.id, "production", "bo", "looked at it")
    for name in (release.version, release.id):
        found = await viewer.release("tiny", name)
        assert (found.id, found.changelog) == (release.id, "- First")
        assert [gate.sentence for gate in found.gates] == ["0 of 1 approvals given."]
        assert [given.person for given in found.approvals["production"]] == ["bo"]
    assert [one.version for one in (await viewer.releases("tiny")).items] == [release.version]


async def test_a_release_of_another_app_is_not_found(live: Live, viewer: Client) -> None:
    release = await a_release(live)
    await live.platform.apps.create("other", "olga")
    with pytest.raises(errors.NotFound):
        await viewer.release("other", release.id)
    with pytest.raises(errors.NotFound):
        await viewer.release("tiny", "v99")


async def test_the_release_that_waits_is_approved_without_naming_it(
    live: Live, approver: Client, developer: Client
) -> None:
    release = await a_release(live)
    shown = await developer.environment("tiny", "production")
    assert [one.version for one in shown.waiting] == [release.version]
    with pytest.raises(errors.Denied, match="ana is a developer and may not approve"):
        await developer.approve("tiny", "production")
    said = await approver.approve("tiny", "production", reason="looked at it")
    assert said.sentence.startswith(f"bo approved {release.version} for production.")
    given = await live.platform.approvals.of(release.id, "production")
    assert [(one.person, one.reason) for one in given] == [("bo", "looked at it")]
    assert [topic for _, topic, _ in live.remote.sent] == ["approval"]


async def test_without_a_waiting_release_there_is_nothing_to_approve(
    live: Live, approver: Client
) -> None:
    release = await a_release(live, ready=False)
    with pytest.raises(errors.NotFound, match="No release of tiny waits for approval"):
        await approver.approve("tiny", "production")
    with pytest.raises(errors.Refused, match="is not ready: it is candidate"):
        await approver.approve("tiny", "production", release=release.version)


async def test_among_several_one_must_be_named(live: Live, approver: Client) -> None:
    await a_release(live)
    newest = await a_release(live)
    with pytest.raises(errors.Refused, match="More than one release waits in production"):
        await approver.approve("tiny", "production")
    await approver.approve("tiny", "production", release=newest.version)


async def test_what_is_live_waits_no_more(live: Live, viewer: Client) -> None:
    old, new = await a_release(live), await a_release(live)
    await in_production(live, new)
    shown = await viewer.environment("tiny", "production")
    assert shown.live
    assert shown.live.version == new.version
    # The older one would undo the live one.
    assert old.version not in [one.version for one in shown.waiting]


async def test_the_policy_shown_is_that_of_the_live_release(live: Live, viewer: Client) -> None:
    await in_production(live, await a_release(live))
    newer = PRODUCT + "[environments.production.policy]\napprovals = 2\n"
    await live.platform.apps.accept("tiny", "2" * 40, newer)

    shown = await viewer.environment("tiny", "production")

    assert shown.policy["approvals"] == 1
    assert shown.next_policy == {"approvals": 2}


async def test_a_rollback_names_no_version(live: Live, approver: Client, developer: Client) -> None:
    with pytest.raises(errors.NotFound):
        await approver.roll_back("tiny", "production")
    first, second = await a_release(live), await a_release(live)
    await in_production(live, first)
    await in_production(live, second)
    with pytest.raises(errors.Denied):
        await developer.roll_back("tiny", "production")
    asked = await approver.roll_back("tiny", "production", reason="errors")
    assert (asked.version, asked.state, asked.by) == (first.version, "waiting", "bo")
    assert [start.id for start in live.remote.started] == [asked.id]


async def test_a_deployment_is_told_when_it_changes(live: Live, viewer: Client) -> None:
    release = await a_release(live)
    deployments = live.platform.deployments
    asked = await deployments.ask(
        id="dep_x", release=release, environment="staging", kind="deploy", by="ana", reason=""
    )
    found = await viewer.deployment("tiny", "staging", asked.id)
    waiting = asyncio.ensure_future(gather(viewer, asked.id))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await deployments.end(asked.id, "failed", "It never became ready.")
    async with asyncio.timeout(10):
        assert await waiting == ["waiting", "failed"]
    assert found.state == "waiting"


async def test_a_deployment_is_followed_though_the_server_goes_away(
    live: Live, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await a_release(live)
    deployments = live.platform.deployments
    asked = await deployments.ask(
        id="dep_x", release=release, environment="staging", kind="deploy", by="ana", reason=""
    )
    begun = await viewer.deployment("tiny", "staging", asked.id)
    ask = viewer.deployment

    async def gone(*_: object, **__: object) -> wire.Deployment:
        monkeypatch.setattr(viewer, "deployment", ask)
        await deployments.end(asked.id, "failed", "It never became ready.")
        raise errors.Unavailable("Shipway does not answer.")

    monkeypatch.setattr(viewer, "deployment", gone)
    async with asyncio.timeout(10):
        assert [one.state async for one in viewer.follow_deployment(begun)] == ["waiting", "failed"]


async def gather(client: Client, deployment: str) -> list[str]:
    begun = await client.deployment("tiny", "staging", deployment)
    return [one.state async for one in client.follow_deployment(begun)]


async def test_deployments_are_listed_by_environment(live: Live, viewer: Client) -> None:
    made = await in_production(live, await a_release(live))
    assert [d.id for d in (await viewer.deployments("tiny", "production")).items] == [made.id]
    assert (await viewer.deployments("tiny", "staging")).items == ()
    with pytest.raises(errors.NotFound):
        await viewer.deployment("tiny", "staging", made.id)
    with pytest.raises(errors.NotFound, match="There is no environment"):
        await viewer.deployments("tiny", "moon")
