"""Signing in by an OpenID provider, and everything that it must not let in."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect
from tests.fakes import history, openid, platform
from tests.fakes.browser import Browser
from tests.fakes.openid import Provider
from tests.fakes.platform import Live
from tests.integration.console.test_browser import WAIT, browser

from shipway import wiring
from shipway.console import openid as ways
from shipway.kit import db, settings

__all__ = ["browser"]

pytestmark = pytest.mark.anyio

BO = {"email": "Bo@Example.org", "email_verified": True}

Served = Callable[..., contextlib.AbstractAsyncContextManager[Live]]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with openid.served(Provider(claims=dict(BO))) as served:
        yield served


@pytest.fixture
def served(database: db.Database, home: pathlib.Path, provider: Provider) -> Served:
    """Return what serves a Shipway with a past that knows the provider."""

    @contextlib.asynccontextmanager
    async def of(**given: Any) -> AsyncIterator[Live]:
        said = {
            "oidc_issuer": provider.issuer, "oidc_client_id": openid.CLIENT,
            "oidc_client_secret": openid.SECRET, "oidc_name": "Acme", **given,
        }  # fmt: skip
        known = wiring.openid(settings.load(home=home, **said), database)
        async with platform.served(platform.parts(database, home, openid=known, **said)) as live:
            await history.lay_out(live)
            yield live

    return of


@contextlib.asynccontextmanager
async def nobody(live: Live) -> AsyncIterator[Browser]:
    browser = Browser(live)
    try:
        yield browser
    finally:
        await browser.close()


async def go(browser: Browser, path: str = "/console/sign-in") -> httpx2.Response:
    """Sign in from a page as a browser does: our page, the provider's, and back."""
    await browser.open(path)
    return await follow(browser)


async def follow(browser: Browser) -> httpx2.Response:
    leaving = await browser.send("/console/openid")
    assert leaving.status_code == 200, leaving.text
    return await browser.open(away(leaving))


def away(leaving: httpx2.Response) -> str:
    """Return where the page that leads to the provider leads."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', leaving.text)
    assert found, leaving.text
    return found[1].replace("&amp;", "&")


async def test_somebody_with_a_verified_address_is_in(served: Served) -> None:
    async with served() as live, nobody(live) as browser:
        await browser.open("/console/apps/tiny/runs")
        assert "Sign in with Acme" in browser.text
        await follow(browser)
        assert str(browser.page.url).endswith("/console/apps/tiny/runs"), "where bo wanted to be"
        assert ">bo</a>" in browser.text
        (last,) = await live.platform.audit.list(limit=1)
        assert (last.who, last.what, last.detail["by"]) == ("bo", "session.begin", "openid")


async def test_a_browser_finds_its_way_there_and_back(served: Served, browser: Chromium) -> None:
    async with served() as live:
        page = await browser.new_page()
        page.set_default_timeout(WAIT)
        await page.goto(f"{live.url}/console/apps/tiny/runs")
        await page.get_by_role("button", name="Sign in with Acme").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Runs", timeout=WAIT)
        await expect(page.get_by_role("link", name="bo", exact=True)).to_be_visible()


async def test_a_provider_that_wants_the_secret_in_the_form(
    served: Served, provider: Provider
) -> None:
    provider.methods = ("client_secret_post",)
    async with served() as live, nobody(live) as browser:
        assert (await go(browser)).status_code == 200
        assert ">bo</a>" in browser.text


async def test_another_claim_may_hold_the_name(served: Served, provider: Provider) -> None:
    provider.claims = {"preferred_username": "vera", **BO}
    async with served(oidc_claim="preferred_username") as live, nobody(live) as browser:
        await go(browser)
        assert ">vera</a>" in browser.text


WRONG: Sequence[tuple[dict[str, Any], str]] = (
    ({"email": "eve@example.org"}, "There is no account for eve@example.org"),
    ({"email_verified": False}, "has not verified that Bo@Example.org is yours"),
    ({"email_verified": None}, "has not verified"),
    ({"email": ""}, "told no email of you"),
    ({"nonce": "another"}, "does not hold"),
    ({"aud": "another"}, "does not hold"),
    ({"iss": "https://evil.example"}, "does not hold"),
    ({"exp": 1}, "does not hold"),
)


async def test_what_does_not_hold_lets_nobody_in(served: Served, provider: Provider) -> None:
    async with served() as live, nobody(live) as browser:
        for claims, said in WRONG:
            provider.claims = BO | claims
            refused = await go(browser)
            assert (refused.status_code, said in refused.text) == (403, True), refused.text
            assert (await browser.open("/console/")).status_code == 401
            (last,) = await live.platform.audit.list(limit=1)
            assert (last.what, last.detail["by"]) == ("session.refused", "openid")
        provider.claims, provider.known = dict(BO), [Provider().key]
        refused = await go(browser)
        assert "does not hold" in refused.text, "it was signed by another key"


async def test_an_address_of_two_accounts_is_nobodys(served: Served) -> None:
    async with served() as live, nobody(live) as browser:
        await live.platform.people.set_emails("vera", ["bo@example.org"])
        refused = await go(browser)
        assert "More than one account" in refused.text


async def test_what_the_provider_says_no_with_is_told(served: Served, provider: Provider) -> None:
    provider.refusal = "access_denied"
    async with served() as live, nobody(live) as browser:
        refused = await go(browser)
        assert (refused.status_code, "It said: access_denied." in refused.text) == (403, True)


async def test_a_form_that_is_too_long_does_not_wait(served: Served) -> None:
    async with served() as live, nobody(live) as browser:
        told = await browser.post(ways.PATH, {"kept": "x" * (ways.LONGEST_KEPT + 1)})
        assert (told.status_code, "too long" in told.text) == (422, True)


async def test_an_answer_is_good_for_one_browser_and_once(served: Served) -> None:
    async with served() as live, nobody(live) as browser, nobody(live) as thief:
        await browser.open("/console/sign-in")
        leaving = await browser.send("/console/openid")
        answer = await browser.http.get(away(leaving), follow_redirects=False)
        back = answer.headers["location"]
        assert "is not on its way" in (await thief.open(back)).text
        await browser.open(back)
        assert ">bo</a>" in browser.text
        again = await browser.open(back)
        assert (again.status_code, "is not on its way" in again.text) == (403, True)


async def test_a_form_survives_the_way(served: Served) -> None:
    async with served() as live, nobody(live) as browser:
        await browser.sign_in("bo")
        await browser.open("/console/apps/tiny/releases/v3")
        await live.platform.sessions.end_others("bo", "")
        await browser.send("approve", reason="seen it")
        assert browser.page.status_code == 401
        await follow(browser)
        assert "Send it now?" in browser.text
        await browser.send("approve")
        assert "bo approved v3 for production." in browser.text


async def test_a_provider_that_is_down_is_said(served: Served, provider: Provider) -> None:
    async with served(oidc_issuer="http://127.0.0.1:9") as live, nobody(live) as browser:
        await browser.open("/console/sign-in")
        told = await browser.send("/console/openid")
        assert told.status_code == 503
        assert "does not answer well" in told.text
        assert "Password" in told.text, "there are other ways"


async def test_a_provider_that_is_another_is_not_asked(served: Served, provider: Provider) -> None:
    async with served(oidc_issuer=f"{provider.issuer}/") as live, nobody(live) as browser:
        await browser.open("/console/sign-in")
        told = await browser.send("/console/openid")
        assert (told.status_code, "calls itself" in told.text) == (503, True)


async def test_without_a_provider_there_is_no_way(live: Live) -> None:
    async with nobody(live) as browser:
        await browser.open("/console/sign-in")
        assert ways.PATH not in browser.text
        assert (await browser.post(ways.PATH, {})).status_code == 404
