from __future__ import annotations

import asyncio

import pytest
from tests.fakes.history import HOSTILE, Past
from tests.fakes.platform import Live
from tests.integration.console.conftest import Opens

from shipway.builds.model import State

pytestmark = pytest.mark.anyio

V3 = "/console/apps/tiny/releases/v3"
V2 = "/console/apps/tiny/releases/v2"


async def test_an_approval_is_given_and_recorded_as_by_the_api(
    past: Past, live: Live, as_: Opens
) -> None:
    async with as_("bo") as browser:
        await browser.open(V3)
        await browser.send("approve", reason=HOSTILE)
        assert "bo approved v3 for production." in browser.text
        assert HOSTILE not in browser.text
    given = await live.platform.approvals.of(past.releases[2].id, "production")
    assert [(one.person, one.reason) for one in given] == [("bo", HOSTILE)]
    deeds = [(entry.who, entry.what) for entry in await live.platform.audit.list(limit=3)]
    assert ("bo", "release.approve") in deeds
    assert [start.workflow for start in live.remote.started] == ["promote"]


async def test_an_owner_goes_past_the_gates_in_an_emergency(
    past: Past, live: Live, as_: Opens
) -> None:
    async with as_("bo") as browser:
        await browser.open(V3)
        assert "It is an emergency" not in browser.text
    async with as_("olga") as browser:
        await browser.open(V3)
        await browser.send("approve_in_emergency", reason="it is down", sure="production")
        assert browser.page.status_code == 200, browser.text
    deeds = [(entry.who, dict(entry.detail)) for entry in await live.platform.audit.list(limit=5)]
    assert any(who == "olga" and detail.get("emergency") for who, detail in deeds)


async def test_two_approve_at_once(past: Past, live: Live, as_: Opens) -> None:
    async with as_("bo") as bo, as_("olga") as olga:
        await bo.open(V3)
        await olga.open(V3)
        await asyncio.gather(bo.send("approve"), olga.send("approve"))
        assert bo.page.status_code == olga.page.status_code == 200
    given = await live.platform.approvals.of(past.releases[2].id, "production")
    assert {one.person for one in given} == {"bo", "olga"}


async def test_a_form_that_is_sent_twice_acts_once(past: Past, live: Live, as_: Opens) -> None:
    async with as_("bo") as browser:
        await browser.open(V2)
        form = browser.form("take_back")
        fields = {**form.fields, "sure": "production"}
        for _ in range(2):
            assert "production goes back to v1." in (await browser.post(form.action, fields)).text
    asked = await live.platform.deployments.list("tiny", "production", states=["waiting"])
    assert len(asked) == 1


async def test_taking_back_asks_for_the_environment(past: Past, live: Live, as_: Opens) -> None:
    async with as_("bo") as browser:
        await browser.open(V2)
        refused = await browser.send("take_back", sure="staging", reason="by mistake")
        assert (refused.status_code, "is not production" in refused.text) == (409, True)
        assert 'value="by mistake"' in refused.text, "what was typed is still there"
    assert not await live.platform.deployments.list("tiny", "production", states=["waiting"])


async def test_a_run_is_cancelled(past: Past, live: Live, as_: Opens) -> None:
    async with as_("ana") as browser:
        await browser.open(f"/console/apps/tiny/runs/{past.runs[4]}")
        await browser.send("cancel")
        assert "Cancelled by ana." in browser.text
    assert (await live.platform.runs.get(past.runs[4])).state is State.CANCELLED


async def test_a_run_that_failed_goes_again(past: Past, live: Live, as_: Opens) -> None:
    run = await live.platform.runs.get(past.runs[3])
    await live.platform.database.run(
        "insert into builds.pushes (app, number, branch, before, commit, by)"
        " values ('tiny', 90, %(branch)s, '', %(commit)s, 'ana')",
        branch=run.branch,
        commit=run.commit,
    )
    async with as_("ana") as browser:
        await browser.open(f"/console/apps/tiny/runs/{run.id}")
        await browser.send("retry")
        assert "This run goes over the same commit again." in browser.text
        again = str(browser.page.url).rsplit("/", 1)[1]
    assert again != run.id
    assert (await live.platform.runs.get(again)).commit == run.commit
    assert [start.id for start in live.remote.started] == [again]


@pytest.mark.parametrize(
    ("path", "deed", "fields"),
    [
        ("runs/{run}", "cancel", {}),
        ("runs/{run}", "retry", {}),
        ("releases/v3", "approve", {"environment": "production", "release": "v3"}),
        ("releases/v2", "take_back", {"environment": "production", "sure": "production"}),
        ("releases/v2", "deploy_again",
         {"environment": "production", "release": "v2", "sure": "production"}),
    ],
)  # fmt: skip
async def test_a_viewer_who_crafts_a_request_is_refused(
    path: str, deed: str, fields: dict[str, str], past: Past, live: Live, as_: Opens
) -> None:
    async with as_("vera") as browser:
        await browser.open("/console/")
        key = browser.form("/console/sign-out").fields["form_key"]
        address = f"/console/apps/tiny/{path.format(run=past.runs[4])}"
        refused = await browser.post(address, {"form_key": key, "deed": deed, **fields})
    assert (refused.status_code, "vera is a viewer and may not" in refused.text) == (403, True)
    assert not live.remote.started
    last = (await live.platform.audit.list(limit=1))[0]
    assert (last.who, last.what.endswith(".refused")) == ("vera", True)


async def test_other_sites_can_send_nothing(past: Past, live: Live, as_: Opens) -> None:
    async with as_("bo") as browser:
        await browser.open(V2)
        form = browser.form("take_back")
        fields = {**form.fields, "sure": "production"}
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            refused = await browser.post(form.action, fields, headers)
            assert (refused.status_code, "another site" in refused.text) == (403, True)
        for key in ("", "x", "AAAA", fields["form_key"][:-8]):
            refused = await browser.post(form.action, {**fields, "form_key": key})
            assert (refused.status_code, "nothing was done" in refused.text) == (403, True)
    async with as_("olga") as other:
        await other.open(V2)
        stolen = {**fields, "form_key": other.form("take_back").fields["form_key"]}
    async with as_("bo") as browser:
        assert (await browser.post(V2, stolen)).status_code == 403
    assert not live.remote.started
