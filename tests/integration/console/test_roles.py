"""Every deed of every page, by somebody who may and by somebody who may a little less."""

from __future__ import annotations

import pytest
from tests.fakes.history import Past
from tests.fakes.platform import Live
from tests.integration.console.conftest import Opens
from tests.integration.console.test_pages import filled

from shipway.console import page
from shipway.console.page import Page

pytestmark = pytest.mark.anyio

LESS = {"developer": "vera", "approver": "ana", "owner": "bo", "oneself": "olga"}
"""Somebody to whom the role is missing: vera looks, ana develops, bo approves, olga owns."""

PRODUCTION = {"environment": "production", "sure": "production", "reason": "why not"}

NEEDED: dict[str, tuple[str, dict[str, str]]] = {
    "create_app": ("developer", {"name": "other"}),
    "cancel": ("developer", {}),
    "retry": ("developer", {}),
    "approve": ("approver", {**PRODUCTION, "release": "v3"}),
    "approve_in_emergency": ("owner", {**PRODUCTION, "release": "v3"}),
    "take_back": ("approver", PRODUCTION),
    "deploy_again": ("approver", {**PRODUCTION, "release": "v2"}),
    "share": ("approver", {"percent": "10"}),
    "pause": ("approver", {}),
    "resume": ("approver", {}),
    "revert": ("approver", {"branch": "production", "sure": "production"}),
    "set_variable": ("approver", {"environment": "production", "name": "A", "value": "b"}),
    "unset_variable": ("approver", {"environment": "production", "name": "A", "sure": "A"}),
    "add_channel": ("approver", {"kind": "webhook", "target": "https://example.org/hook"}),
    "remove_channel": ("approver", {"channel": "chn_1"}),
    "remove_app": ("owner", {"sure": "tiny"}),
    "add_person": ("owner", {"name": "zoe", "role": "viewer"}),
    "change_role": ("owner", {"role": "viewer"}),
    "change_emails": ("owner", {"emails": "x@example.org"}),
    "remove_person": ("owner", {"sure": "vera"}),
    "issue_token": ("owner", {"name": "a token"}),
    "revoke_token": ("owner", {"token": "tok_1"}),
    "make_link": ("owner", {}),
    "end_session": ("owner", {"session": "ses_1"}),
    "set_password": ("oneself", {"password": "correct horse battery"}),
}
"""The role that each deed needs, on the page of production or of somebody else, and its fields."""

DEEDS = [(found, deed.name) for found in page.every() for deed in found.deeds]


async def test_a_less_privileged_person_is_refused_each_deed(
    past: Past, live: Live, as_: Opens
) -> None:
    assert {name for _, name in DEEDS} == set(NEEDED), "a deed whose role no test knows"
    for role, person in LESS.items():
        async with as_(person) as browser:
            await browser.open("/console/")
            key = browser.form("/console/sign-out").fields["form_key"]
            for found, name in DEEDS:
                needed, fields = NEEDED[name]
                if needed == role:
                    address = _address(found, past, someone="vera" if person != "vera" else "bo")
                    sent = {**fields, "form_key": key, "deed": name}
                    refused = await browser.post(address, sent)
                    assert refused.status_code == 403, f"{person}, {name}: {refused.text}"
                    assert 'class="note bad" role="alert"' in refused.text
    assert not live.remote.started
    assert {one.name for one in await live.platform.people.list()} == {"olga", "bo", "vera", "ana"}
    assert not await live.platform.channels.list("tiny")


def _address(found: Page, past: Past, *, someone: str) -> str:
    return filled(found.path, past).replace("/people/bo", f"/people/{someone}")


async def test_variables_go_in_and_out(past: Past, as_: Opens) -> None:
    settings = "/console/apps/tiny/settings?environment=production"
    async with as_("bo") as browser:
        await browser.open(settings)
        await browser.send("set_variable", name="MAIL_KEY", kind="secret", value="s3cret value")
        assert "MAIL_KEY (secret) is set in production" in browser.text
        assert "s3cret value" not in browser.text
        refused = await browser.send("unset_variable", sure="MAIL_KEI")
        assert (refused.status_code, "nothing was done" in refused.text) == (409, True)
        await browser.open(settings)
        await browser.send("unset_variable", sure="MAIL_KEY")
        assert "MAIL_KEY is no longer set in production" in browser.text


async def test_people_are_added_changed_and_removed(past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        await browser.open("/console/people")
        await browser.send("add_person", name="zoe", role="viewer", emails="zoe@example.org")
        assert str(browser.page.url).endswith("/people/zoe")
        await browser.send("change_role", role="developer")
        assert "zoe is developer now." in browser.text
        await browser.send("make_link")
        assert "/console/enter/" in browser.text
        await browser.open("/console/people/zoe")
        await browser.send("issue_token", name="a robot", days="7")
        assert "shp_" in browser.text
        await browser.open("/console/people/zoe")
        await browser.send("revoke_token")
        await browser.send("remove_person", sure="zoe")
        assert str(browser.page.url).endswith("/people")


async def test_an_update_is_paused_changed_and_taken_back(
    past: Past, live: Live, as_: Opens
) -> None:
    async with as_("bo") as browser:
        for deed, fields in (
            ("pause", {}),
            ("share", {"percent": "25,5"}),
            ("revert", {"sure": "production"}),
        ):
            await browser.open("/console/apps/tiny/updates/upd_2")
            done = await browser.send(deed, **fields)
            assert "The worker was asked to do it." in done.text, done.text
        await browser.open("/console/apps/tiny/updates/upd_2")
        refused = await browser.send("share", percent="many")
        assert (refused.status_code, "is not a share in per cent" in refused.text) == (422, True)
    asked = await live.platform.database.rows(
        "select action, arguments from updates.changes order by created"
    )
    assert [one["action"] for one in asked] == ["pause", "share", "revert"]
    assert asked[1]["arguments"]["per_mille"] == 255


async def test_somebody_is_told_and_no_more(past: Past, as_: Opens) -> None:
    async with as_("bo") as browser:
        await browser.open("/console/apps/tiny/settings")
        await browser.send("add_channel", kind="webhook", target="https://example.org/hook")
        assert "shown this once" in browser.text
        await browser.open("/console/apps/tiny/settings")
        assert "https://example.org/hook" in browser.text
        await browser.send("remove_channel")
        assert (
            "https://example.org/hook"
            not in (await browser.open("/console/apps/tiny/settings")).text
        )
