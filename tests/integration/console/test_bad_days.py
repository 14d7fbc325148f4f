"""The console in Chromium on bad days: nothing is lost, and what is wrong is said."""

from __future__ import annotations

import asyncio
import pathlib

import psycopg
import pytest
from playwright.async_api import Browser, Route, expect
from tests.fakes import history, platform
from tests.fakes.history import HOSTILE, PRODUCT, Past
from tests.fakes.platform import Live
from tests.integration.console.test_browser import browser, signed_in

from shipway.builds import logs
from shipway.builds.model import State
from shipway.kit import command, db
from shipway.kit.mask import Mask

__all__ = ["browser"]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

MB = 1000**2
PASSWORD = "correct horse battery"


async def test_a_release_of_five_thousand_commits(past: Past, live: Live, browser: Browser) -> None:
    last = await many_commits(live, 5000)
    run = await live.platform.runs.get(past.runs[4])
    made = await live.platform.releases.add(
        app="tiny", run=run.id, commit=last, schema_head="", artifacts={}, product=PRODUCT,
        changelog="- Much", authors=["ana"],
    )  # fmt: skip
    page = await signed_in(browser, live)
    await page.goto(f"/console/apps/tiny/releases/{made.version}")
    await expect(page.get_by_text("Commit 5000", exact=True)).to_be_visible()
    assert await page.locator("#commits-list li").count() < 200
    await expect(page.get_by_text("more: the list ends at 500")).to_be_visible()


async def many_commits(live: Live, count: int) -> str:
    """Put so many commits upon main, and return the last one."""
    path = await live.platform.sources.create("tiny")
    main = "refs/heads/main"
    lines = []
    for number in range(1, count + 1):
        text = f"Commit {number}"
        before = f"from {main}^0\n" if number == 1 else ""
        lines.append(
            f"commit {main}\ncommitter Ana <ana@example.org> {1_700_000_000 + number} +0000\n"
            f"data {len(text)}\n{text}\n{before}\n"
        )
    env = command.base_environment()
    git = ("git", "-C", str(path))
    stream = "".join(lines).encode()
    await command.run(command.Command(argv=(*git, "fast-import", "--quiet"), env=env, stdin=stream))
    found = await command.run(command.Command(argv=(*git, "rev-parse", main), env=env))
    return found.output.strip()


async def test_times_are_told_by_the_servers_clock(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live)
    await page.add_init_script("const real = Date.now; Date.now = () => real() - 86400000 * 3;")
    await page.goto("/console/apps/tiny")
    ticked = page.locator("time[data-ago][data-local]")
    await expect(ticked.first).to_be_visible()
    for text in await ticked.all_inner_texts():
        assert text == "now" or text.endswith((" s ago", " min ago")), text


async def test_names_that_run_from_right_to_left_turn_nothing_around(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live)
    await page.goto("/console/apps/tiny")
    row = page.locator("a.row", has_text="try/").first
    parts = [await one.bounding_box() for one in (row.locator("b"), row.locator("code"))]
    assert parts[0]
    assert parts[1]
    assert parts[0]["x"] < parts[1]["x"]
    assert HOSTILE in (await row.locator("b").text_content() or "")


async def test_a_log_of_a_hundred_megabytes_is_read(
    past: Past, live: Live, browser: Browser
) -> None:
    run = past.runs[4]
    async with live.platform.logs.writing(run, "server", Mask()) as write:
        for _ in range(20):
            write("long " + "x" * MB)
        for number in range(80 * MB // 1000):
            write(f"line {number} " + "y" * 990)
    page = await signed_in(browser, live)
    await page.goto(f"/console/apps/tiny/runs/{run}?step=server")
    await expect(page.locator("ol.log li").last).to_contain_text(logs.CUT)
    assert await page.locator("ol.log li").count() <= 500
    await page.get_by_label("Find in the log").fill("line 4321 ")
    await page.keyboard.press("Enter")
    await expect(page.locator("ol.log li")).to_have_count(1)
    await page.locator("ol.log li a").click()
    await expect(page.locator("ol.log li.here")).to_contain_text("line 4321 ")
    await page.goto(f"/console/apps/tiny/runs/{run}?step=server&line=1#L1")
    long = page.locator("#L1 span")
    await expect(long).to_contain_text("long xxx")
    assert len(await long.inner_text()) <= logs.LONGEST_LINE
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def test_a_stream_that_is_cut_is_said_and_mended(
    past: Past, live: Live, browser: Browser
) -> None:
    page = await signed_in(browser, live)
    cut, mended = asyncio.Event(), asyncio.Event()

    async def broken(route: Route) -> None:
        if mended.is_set():
            await route.continue_()
        elif cut.is_set():
            await route.fulfill(status=503, body="no")
        else:
            cut.set()
            await route.abort()

    await page.route("**/console/live/**", broken)
    await page.goto("/console/apps/tiny")
    await expect(page.get_by_text("Connection lost: what you see may be old.")).to_be_visible()
    await live.platform.runs.set_state(past.runs[4], State.FAILED, "Nobody listened.")
    mended.set()
    await expect(page.get_by_text("Nobody listened.").first).to_be_visible()
    await expect(page.get_by_text("Connection lost")).to_be_hidden()


async def test_what_is_typed_outlives_the_session(
    past: Past, live: Live, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.console.live.BEAT", 0.2)
    await live.platform.passwords.set("olga", PASSWORD, current="")
    page = await signed_in(browser, live)
    await page.goto("/console/apps/tiny/releases/v3")
    await page.get_by_label("Reason").fill("seen it")
    await live.platform.sessions.end_others("olga", "")
    await expect(page.get_by_text("Your session is over.")).to_be_visible()
    await page.get_by_role("button", name="Approve v3 for production").click()
    await page.get_by_label("Name").fill("olga")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.locator("dl").get_by_text("seen it")).to_be_visible()
    await page.get_by_role("button", name="Send: approve").click()
    await expect(page.get_by_role("status").first).to_contain_text("olga approved v3")


async def test_what_another_does_is_seen_at_once(
    past: Past, live: Live, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.console.live.BEAT", 3600.0)
    page = await signed_in(browser, live)
    async with page.expect_response(lambda answer: "/console/live/" in answer.url):
        await page.goto("/console/apps/tiny/releases/v3")
    await live.platform.approvals.give(past.releases[2].id, "production", "bo", "it is good")
    await expect(page.get_by_text("it is good")).to_be_visible()


async def test_a_database_that_is_slow_is_said(
    database_url: str, home: pathlib.Path, browser: Browser
) -> None:
    database = db.Database(database_url, name="api", statement_seconds=2)
    await database.open()
    try:
        async with platform.served(platform.parts(database, home)) as live:
            await history.lay_out(live)
            page = await signed_in(browser, live)
            async with await psycopg.AsyncConnection.connect(database_url) as other:
                await other.execute("lock table updates.groups in access exclusive mode")
                answer = await page.goto("/console/apps/tiny")
                assert answer
                assert answer.status == 503
                await expect(page.get_by_role("alert")).to_contain_text("takes too long")
            await page.reload()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Production")
    finally:
        await database.close()
