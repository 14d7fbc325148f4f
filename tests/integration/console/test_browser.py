"""The console in Chromium: sound in every look, alive, and of use without a pointer or a script."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from demo import console
from playwright.async_api import Browser, ConsoleMessage, Page, Route, expect
from tests.fakes.history import Past
from tests.fakes.platform import Live
from tests.fakes.second_opinion import npm
from tests.integration.console.test_pages import PATHS, filled

from shipway.builds.model import State
from shipway.kit.mask import Mask

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

PICTURES = pathlib.Path(__file__).parents[3] / ".dev" / "pictures"
"""Where the pages are kept as they looked in the last test."""

SERIOUS = {"serious", "critical"}
WAIT = 60_000
"""Milliseconds in which something must have come; far more than it takes."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with console.chromium() as opened:
        yield opened


async def signed_in(browser: Browser, live: Live, look: str = "light", **more: Any) -> Page:
    """Return a page in which olga has come in by a link."""
    context = await browser.new_context(**{**console.LOOKS[look], **more}, base_url=live.url)
    context.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    code, _ = await live.platform.sessions.make_link("olga")
    page = await context.new_page()
    await page.goto(f"/console/enter/{code}")
    await page.get_by_role("button", name="Sign in as olga").click()
    await page.wait_for_url("**/console/")
    return page


async def test_every_page_is_sound_in_light_dark_and_on_a_phone(
    past: Past, live: Live, browser: Browser
) -> None:
    axe = (npm.modules() / "node_modules" / "axe-core" / "axe.min.js").read_text()
    PICTURES.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for look in console.LOOKS:
        page = await signed_in(browser, live, look)
        found += [f"{look}: {one}" for one in await problems(page, past, look, axe)]
    assert found == []


async def problems(page: Page, past: Past, look: str, axe: str) -> list[str]:
    """Open every page, keep its picture, and return what is wrong with it."""
    found: list[str] = []
    page.on("console", lambda message: found.extend(complaint_of(message)))
    page.on("pageerror", lambda error: found.append(str(error)))
    for path in PATHS:
        await page.goto(filled(path, past))
        name = path.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "home"
        await page.screenshot(path=PICTURES / f"{name}-{look}.png")
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{path} is wider than the screen")
        found += [f"{path}: {one}" for one in await complaints(page, axe)]
    return found


def complaint_of(message: ConsoleMessage) -> list[str]:
    return [f"{message.location['url']}: {message.text}"] if message.type == "error" else []


async def complaints(page: Page, axe: str) -> list[str]:
    """Return what axe finds on a page that is serious."""
    await page.evaluate(axe)
    told: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in told["violations"]
        if one["impact"] in SERIOUS
    ]


async def test_a_release_is_taken_back_by_keys_alone(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live)
    await page.goto("/console/apps/tiny/releases/v2")
    await page.keyboard.press("Control+K")
    await page.keyboard.type("take back")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("it was a try")
    await page.keyboard.press("Tab")
    await page.keyboard.type("production")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("production goes back to v1.")
    (asked,) = await live.platform.deployments.list("tiny", "production", states=["waiting"])
    assert (asked.kind, asked.reason) == ("rollback", "it was a try")


async def test_a_run_is_seen_as_it_goes(past: Past, live: Live, browser: Browser) -> None:
    page, run = await signed_in(browser, live), past.runs[4]
    async with page.expect_response(lambda answer: "/console/live/" in answer.url):
        await page.goto(f"/console/apps/tiny/runs/{run}")
    async with live.platform.logs.writing(run, "test unit", Mask()) as write:
        write("\x1b[32ma line of now\x1b[0m")
    await expect(page.locator("ol.log .ansi-green", has_text="a line of now")).to_be_visible()
    await live.platform.runs.set_state(run, State.SUCCEEDED, "All is well.")
    await expect(page.locator("h1 .pill")).to_have_text("succeeded")
    await expect(page.get_by_text("All is well.")).to_be_visible()


async def test_a_form_is_not_taken_away_under_ones_hands(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live)
    await page.goto("/console/apps/tiny/releases/v2")
    await page.locator("details.deed summary").first.click()
    await page.get_by_label("Why").first.fill("half a senten")
    await live.platform.runs.set_state(past.runs[4], State.FAILED, "No.")
    await expect(page.get_by_text("Something changed: show it")).to_be_visible()
    await expect(page.get_by_label("Why").first).to_have_value("half a senten")


@pytest.mark.parametrize("address", ["", "/runs/{run}"], ids=["an app", "a run"])
async def test_what_changes_before_a_page_listens_is_seen(
    past: Past, live: Live, browser: Browser, address: str
) -> None:
    page, run = await signed_in(browser, live), past.runs[4]
    asked, changed = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await changed.wait()
        await route.continue_()

    await page.route("**/console/live/**", late)
    await page.goto(f"/console/apps/tiny{address.format(run=run)}")
    await asked.wait()
    await live.platform.runs.set_state(run, State.FAILED, "Nobody listened.")
    changed.set()
    await expect(page.get_by_text("Nobody listened.").first).to_be_visible()


async def test_pages_are_read_and_used_without_a_script(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live, java_script_enabled=False)
    await page.goto("/console/apps/tiny")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Production is all right.")
    await page.get_by_role("link", name="Review v3 for production").click()
    await page.get_by_role("button", name="Approve v3 for production").click()
    await expect(page.get_by_role("status")).to_contain_text("olga approved v3")
