"""A week of the tiny app: release, hotfix, taken back, further back, and forward again."""

from __future__ import annotations

import pytest
from demo.load import Load
from demo.stage import Failed, Stage
from tests.stories.changing import TINY, other_owner

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]


async def release(tiny: Stage, mark: str) -> str:
    """Deliver and promote a commit that answers with another version; return the release's."""
    await tiny.commit(TINY, lambda text: text + f"\n# {mark}\n", f"Mark {mark}")
    await tiny.deliver()
    return (await tiny.promote()).version


async def hotfix(tiny: Stage) -> str:
    """Have a commit go past staging, approved by an owner; return the version of its release."""
    branch = "hotfix/of-the-week"
    await tiny.git("checkout", "--quiet", "-b", branch)
    await tiny.commit(TINY, lambda text: text + "\n# mended\n", "Mend it in the week")
    await tiny.git("push", "shipway", branch)
    await tiny.git("checkout", "--quiet", "main")
    async with tiny.api() as api:
        made = (await api.releases(tiny.app, limit=1)).items[0]
    words = (made.version, "--app", tiny.app, "--reason", "read it")
    await tiny.shipway("approve", *words, person=await other_owner(tiny))
    live = await tiny.newest_deployment("production")
    assert (live.version, live.state, made.branch) == (made.version, "live", branch)
    await tiny.git("pull", "--quiet", "--ff-only", "shipway", "main")
    return made.version


async def test_production_goes_back_and_forth_without_a_failed_request(tiny: Stage) -> None:
    first = await tiny.live("production")
    second = await release(tiny, "second")

    async with Load(tiny.url("production"), tiny.edge, tiny.ca_file, path="/") as users:
        await users.see_any(times=50)
        third = await hotfix(tiny)
        await tiny.expect("staging", second)
        await users.see_any(times=50)
        await tiny.roll_back("--reason", "a try")
        await tiny.expect("production", second)
        await users.see_any(times=50)
        # Not warm any more: it starts again from its artifacts.
        await tiny.roll_back()
        await tiny.expect("production", first)
        await users.see_any(times=50)
        # The one that was just left is warm, and may be named.
        await tiny.roll_back("--to", second)
        await tiny.expect("production", second)
        await users.see_any(times=50)

    assert users.figures()["failures"] == []
    assert third != second


async def test_what_happened_can_be_read_afterwards(tiny: Stage) -> None:
    version = await release(tiny, "for the record")

    async with tiny.api() as api:
        found = await api.release(tiny.app, version)
        trail = await api.audit(limit=50)
        runs = await api.runs(tiny.app, limit=1)
        steps = (await api.run(runs.items[0].id)).steps
    assert {gate.name for gate in found.gates if gate.open} >= {"tests passed", "approved"}
    assert [one.person for one in found.approvals["production"]] == ["ada"]
    assert "Mark for the record" in found.changelog
    assert any(entry.who == "ada" for entry in trail.items)
    assert {step.name for step in steps} >= {"server", "deploy staging", "deploy production"}
    assert version in (await tiny.git("ls-remote", "--tags", "shipway"))


async def test_a_rollback_to_nowhere_is_refused_with_what_there_is(tiny: Stage) -> None:
    with pytest.raises(Failed, match=r"v999 was never live in production.\sThese were: v"):
        await tiny.roll_back("--to", "v999")
