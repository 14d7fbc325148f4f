"""A hotfix takes the short way: merged with main, approved by an owner, past staging."""

from __future__ import annotations

import os
import signal

import pytest
from demo.stage import Failed, Stage
from tests.stories.changing import TINY, WORDS, other_owner

from shipway import wiring
from shipway.client import wire
from shipway.kit import settings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

BRANCH = "hotfix/greeting"


async def newest(tiny: Stage) -> wire.Release:
    async with tiny.api() as api:
        return (await api.releases(tiny.app, limit=1)).items[0]


async def approve(tiny: Stage, release: wire.Release, *words: str, person: str) -> str:
    return await tiny.shipway("approve", release.version, "--app", tiny.app, *words, person=person)


async def kill_the_worker(tiny: Stage) -> None:
    found = settings.load(home=tiny.shipway_home)
    (worker,) = await wiring.keeper(found).services("worker")
    assert worker.pid
    assert worker.pid > 1
    os.kill(worker.pid, signal.SIGKILL)


async def test_a_hotfix_goes_past_staging_and_nothing_undoes_it(tiny: Stage) -> None:
    olga = await other_owner(tiny)
    await tiny.commit(TINY, lambda text: text + "\n# waits\n", "Wait for approval")
    await tiny.deliver()
    waiting, staging = await newest(tiny), await tiny.live("staging")

    await tiny.git("checkout", "--quiet", "-b", BRANCH, "HEAD^")
    await tiny.commit(WORDS, lambda text: text + "\n# mended\n", "Mend the greeting")
    said = await tiny.git("push", "shipway", BRANCH)
    hotfix = await newest(tiny)

    assert f"{hotfix.version} is ready for production. {BRANCH} goes there without staging" in said
    assert (hotfix.branch, await tiny.live("staging")) == (BRANCH, staging)
    said = await approve(tiny, hotfix, person="ada")
    assert "The yes of ada does not count: a hotfix needs an owner's. olga" in said  # and others
    await approve(tiny, hotfix, "--reason", "read it", person=olga)
    await kill_the_worker(tiny)  # on its way to main, to its tag and into production
    live = await tiny.newest_deployment("production")

    assert (live.version, live.state, live.watch) == (hotfix.version, "live", "it is a hotfix")
    assert await tiny.live("staging") == staging
    assert "Watched closely until" in await tiny.shipway("status")
    await tiny.git("checkout", "--quiet", "main")
    await tiny.git("pull", "--quiet", "--ff-only", "shipway", "main")
    assert (await tiny.git("log", "-1", "--format=%H %an %s")).strip() == (
        f"{hotfix.commit} owner Merge {BRANCH} into main"
    )
    assert len((await tiny.git("log", "-1", "--format=%P")).split()) == 2
    merges = await tiny.git("log", "--merges", "--format=%s", f"--grep={BRANCH}")
    assert merges.splitlines() == [f"Merge {BRANCH} into main"]
    assert (await tiny.last_run()).branch == BRANCH  # main needs no run of its own

    async with tiny.api("ada") as api:
        refused = await api.deploy(tiny.app, "production", waiting.id)
        refused = [change async for change in api.follow_deployment(refused)][-1]
    assert f"{waiting.version} lacks the hotfix {hotfix.version}, which is live" in refused.sentence
    await tiny.expect("production", hotfix.version)


async def test_an_owner_goes_past_the_approvals_in_an_emergency(tiny: Stage) -> None:
    await tiny.commit(TINY, lambda text: text + "\n# urgent\n", "Mend it at once")
    await tiny.deliver()
    urgent = await newest(tiny)

    with pytest.raises(Failed, match="ada is an approver and may not go past the approvals"):
        await approve(tiny, urgent, "--emergency", "--reason", "it burns", person="ada")
    with pytest.raises(Failed, match="An emergency needs a written reason"):
        await approve(tiny, urgent, "--emergency", person="dev")
    await approve(tiny, urgent, "--emergency", "--reason", "it burns", person="dev")
    live = await tiny.newest_deployment("production")

    assert (live.state, live.by, live.reason) == ("live", "owner", "emergency: it burns")
    assert live.watch == "it came in an emergency"
    async with tiny.api() as api:
        trail = (await api.audit(limit=20)).items
    (deed,) = [
        one for one in trail if one.what == "release.approve" and one.detail.get("emergency")
    ][:1]
    assert (deed.who, deed.detail["reason"]) == ("owner", "it burns")
