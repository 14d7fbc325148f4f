from __future__ import annotations

import datetime

import pytest
from tests.fakes.browser import Browser
from tests.fakes.history import Past
from tests.fakes.platform import Live
from tests.integration.console.conftest import Opens

from shipway.access import sessions
from shipway.access.model import Role
from shipway.access.sessions import Sessions
from shipway.kit import clock, db, errors

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


async def test_strangers_see_the_way_in_and_nothing_else(past: Past, as_: Opens) -> None:
    async with as_("") as nobody:
        page = await nobody.open("/console/apps/tiny")
        assert page.status_code == 401
        assert "tiny" not in page.text.replace("/console/apps/tiny", "")
        assert (await nobody.open("/console/apps/tiny?panel=runs&as=json")).status_code == 401
        assert (await nobody.open("/console/live/tiny")).status_code == 401


async def test_a_link_signs_in_once(past: Past, live: Live, as_: Opens) -> None:
    code, _ = await live.platform.sessions.make_link("bo")
    async with as_("") as browser, as_("") as thief:
        await browser.open(f"/console/enter/{code}")
        await thief.open(f"/console/enter/{code}")
        await browser.send(f"/console/enter/{code}")
        assert "Production is all right." in (await browser.open("/console/apps/tiny")).text
        used = await thief.send(f"/console/enter/{code}")
        assert (used.status_code, "was used before" in used.text) == (401, True)
    trail = await live.platform.audit.list(limit=1)
    assert (trail[0].who, trail[0].what) == ("bo", "session.begin")


async def test_looking_at_a_link_does_not_use_it(past: Past, live: Live, as_: Opens) -> None:
    code, _ = await live.platform.sessions.make_link("bo")
    async with as_("") as browser:
        for _ in range(3):
            assert "Sign in as bo" in (await browser.open(f"/console/enter/{code}")).text


async def test_a_password_is_set_and_signs_in(past: Past, live: Live, as_: Opens) -> None:
    await live.platform.passwords.set("bo", PASSWORD, current="")
    async with as_("") as browser:
        await browser.open("/console/apps/tiny")
        wrong = await browser.send("/console/sign-in", person="bo", password="wrong horse battery")
        assert (wrong.status_code, "do not belong together" in wrong.text) == (403, True)
        await browser.send("/console/sign-in", person="bo", password=PASSWORD)
        assert str(browser.page.url).endswith("/console/apps/tiny"), "where bo wanted to be"


async def test_a_password_needs_the_one_before(past: Past, live: Live) -> None:
    await live.platform.passwords.set("bo", PASSWORD, current="")
    with pytest.raises(errors.Denied):
        await live.platform.passwords.set("bo", "another password", current="guessed")
    with pytest.raises(errors.Invalid):
        await live.platform.passwords.set("bo", "short", current=PASSWORD)


async def test_guessing_is_slowed_down(past: Past, as_: Opens) -> None:
    async with as_("") as browser:
        for _ in range(9):
            await browser.open("/console/sign-in")
            last = await browser.send("/console/sign-in", person="bo", password="x")
        assert (last.status_code, "too many tries" in last.text) == (409, True)


async def test_signing_out_ends_the_session(past: Past, as_: Opens) -> None:
    async with as_("vera") as browser:
        await browser.open("/console/")
        secret = browser.http.cookies["shipway_session"]
        await browser.send("/console/sign-out")
        browser.http.cookies.set("shipway_session", secret, path="/console")
        assert (await browser.open("/console/")).status_code == 401


async def test_a_form_that_outlives_its_session_is_asked_about_again(
    past: Past, live: Live, as_: Opens
) -> None:
    await live.platform.passwords.set("bo", PASSWORD, current="")
    async with as_("bo") as browser:
        await browser.open("/console/apps/tiny/releases/v3")
        await live.platform.sessions.end_others("bo", "")
        await browser.send("approve", reason="seen it")
        assert browser.page.status_code == 401
        assert "Nothing was done" in browser.text
        await browser.send("/console/sign-in", person="bo", password=PASSWORD)
        assert "Send it now?" in browser.text
        assert not await live.platform.approvals.of(past.releases[2].id, "production")
        await browser.send("approve")
        assert "bo approved v3 for production." in browser.text
    given = await live.platform.approvals.of(past.releases[2].id, "production")
    assert [(one.person, one.reason) for one in given] == [("bo", "seen it")]


async def test_the_secret_changes_while_it_is_used(past: Past, database: db.Database) -> None:
    moment = clock.now()
    later = moment + sessions.CHANGE + datetime.timedelta(seconds=1)
    first = await Sessions(database, lambda: moment).begin("bo", "test")
    after = Sessions(database, lambda: later)
    _, second = await after.find(first, change=True)
    assert second != first
    assert (await after.find(first, change=True))[1] == first, "a request that was under way"
    much_later = Sessions(database, lambda: later + sessions.SEEN * 2)
    assert (await much_later.find(second))[1] == second
    with pytest.raises(errors.Unknown):
        await much_later.find(first)


async def test_a_session_ends_by_itself(past: Past, database: db.Database) -> None:
    moment = clock.now()
    secret = await Sessions(database, lambda: moment).begin("bo", "test")
    with pytest.raises(errors.Unknown):
        await Sessions(database, lambda: moment + sessions.IDLE).find(secret)


async def test_whoever_loses_a_role_loses_it_in_the_session(
    past: Past, live: Live, as_: Opens
) -> None:
    async with as_("bo") as browser:
        form = await _approval(browser)
        await live.platform.people.set_role("bo", Role.VIEWER)
        refused = await browser.post("/console/apps/tiny/releases/v3", form)
        assert (refused.status_code, "may not approve" in refused.text) == (403, True)


async def _approval(browser: Browser) -> dict[str, str]:
    await browser.open("/console/apps/tiny/releases/v3")
    return browser.form("approve").fields
