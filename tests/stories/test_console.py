"""A push is seen in the console while it happens; its release is approved there by clicks, and
taken back."""

from __future__ import annotations

import asyncio

import pytest
from demo import console
from demo.stage import Stage
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

TINY = "server/tiny/__init__.py"
WAIT = 120_000
"""Milliseconds in which something must have come; far more than it takes."""


async def test_a_push_is_seen_live_approved_and_taken_back_by_clicks(tiny: Stage) -> None:
    before = await tiny.live("production")
    await tiny.commit(TINY, lambda text: text + "\n# seen\n", "Mark what is seen")
    async with console.chromium() as browser, console.signed_in(browser, tiny, "ada") as page:
        app = f"{tiny.api_url}/console/apps/{tiny.app}"
        await page.goto(app)
        push = asyncio.create_task(tiny.deliver())
        # Nobody reloads: the page learns of the run, and the run's page of its lines.
        running = page.locator("a.row", has=page.locator(".pill", has_text="running")).first
        await running.click(timeout=WAIT)
        await expect(page.locator("ol.log li").first).to_be_visible(timeout=WAIT)
        await push
        await expect(page.locator("h1 .pill")).to_have_text("succeeded", timeout=WAIT)

        await page.goto(app)
        await page.get_by_role("link", name="Review v").click()
        version = (await page.locator("h1").inner_text()).split()[0]
        await page.get_by_label("Reason").fill("seen on staging")
        await page.get_by_role("button", name=f"Approve {version} for production").click()
        await expect(page.locator("h1")).to_contain_text("live in production", timeout=WAIT)
        await tiny.expect("production", version)

        deed = page.locator("#take-back-production")
        await deed.locator("summary").click()
        await deed.get_by_label("Why").fill("it was a try")
        await deed.get_by_label("Type production").fill("production")
        await deed.get_by_role("button", name="Take back from production").click()
        await expect(page.get_by_role("status").first).to_contain_text("production goes back to")
        # The page follows it: the release is live nowhere but in staging.
        await expect(page.locator("h1")).not_to_contain_text("live in production", timeout=WAIT)
    await tiny.expect("production", before)
