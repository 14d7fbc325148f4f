"""What holds for every page: adding a folder adds it here."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx2
import pytest
from tests.fakes import history, platform
from tests.fakes.history import HOSTILE, Past
from tests.fakes.platform import Live
from tests.integration.console.conftest import Opens

from shipway.builds.model import State
from shipway.console import live as streams
from shipway.console import page
from shipway.kit import db
from shipway.runtime.model import Place

pytestmark = pytest.mark.anyio

PATHS = [found.path for found in page.every()]


def filled(path: str, past: Past) -> str:
    """Return the address of an example of a page."""
    names = {
        "app": "tiny", "run": past.runs[3], "release": "v2", "update": "upd_2", "person": "bo",
    }  # fmt: skip
    return f"/console{page.filled(path, names)}"


async def test_every_page_is_whole_and_safe(past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        for path in PATHS:
            answer = await browser.open(filled(path, past))
            assert answer.status_code == 200, answer.text[:2000]
            assert HOSTILE not in answer.text
            assert "<script>alert" not in answer.text
            assert " style=" not in answer.text, "the policy forbids styles within a page"
            assert " onclick=" not in answer.text
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert len(answer.content) < 150_000


async def test_every_panel_can_be_had_by_programs(past: Past, as_: Opens) -> None:
    seen = 0
    async with as_("olga") as browser:
        for path in PATHS:
            text = (await browser.open(filled(path, past))).text
            for name in {part.split("&")[0] for part in text.split("?panel=")[1:]}:
                told = await browser.open(f"{filled(path, past)}?panel={name}&as=json")
                rows = json.loads(told.text)
                table = await browser.open(f"{filled(path, past)}?panel={name}&as=csv")
                assert table.headers["content-type"].startswith("text/csv")
                assert len(list(csv.reader(io.StringIO(table.text)))) == len(rows) + 1
                seen += 1
    assert seen > len(PATHS)


async def test_every_panel_is_offered(past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        for path in PATHS:
            address = filled(path, past)
            text = (await browser.open(address)).text
            wrong = (await browser.open(f"{address}?panel=none")).text
            known = wrong.split("It has: ")[1].split(".")[0].split(", ")
            for name in known:
                rows = json.loads((await browser.open(f"{address}?panel={name}&as=json")).text)
                assert f"panel={name}&amp;as=csv" in text or not rows, f"{path}: {name}"


async def test_a_part_of_time_is_a_part_of_the_address(past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        for path, panel in (
            ("apps/tiny/runs", "runs"), ("apps/tiny/releases", "releases"),
            ("apps/tiny/updates", "updates"), ("audit", "trail"),
        ):  # fmt: skip
            address = f"/console/{path}"
            for part, is_there in (
                ("from=2020-01-01", True), ("from=2020-01-01&to=2020-12-31", False),
                ("to=2020-01-01T12:00", False), ("from=2999-01-01T00:00%2B02:00", False),
            ):  # fmt: skip
                text = (await browser.open(f"{address}?{part}")).text
                assert f"panel={panel}&amp;as=csv" in text, "what is had as CSV is the same part"
                rows = json.loads(
                    (await browser.open(f"{address}?{part}&panel={panel}&as=json")).text
                )
                assert bool(rows) is is_there, (path, part)
                assert ("No such" in text) is not is_there
            wrong = await browser.open(f"{address}?from=yesterday")
            assert (wrong.status_code, "no day such as" in wrong.text) == (422, True)


async def test_the_palette_finds_what_is_not_on_the_page(past: Past, as_: Opens) -> None:
    async def found(words: str) -> list[str]:
        return [one["to"] for one in (await browser.open(f"/console/places?q={words}")).json()]

    async with as_("vera") as browser:
        assert await found("") == []
        assert await found("tin") == ["/console/apps/tiny"]
        assert await found("V2") == ["/console/apps/tiny/releases/v2"]
        assert await found("tiny+v3") == ["/console/apps/tiny/releases/v3"]
        assert await found("other+v3") == []
        assert await found("ver") == ["/console/people/vera"]
        assert await found(past.commits[3][:8]) == [f"/console/apps/tiny/runs/{past.runs[3]}"]
        assert f"/console/apps/tiny/runs/{past.runs[4]}" in await found("%F0%9F%A6%84")
        assert await found("%25") == []
    async with as_("") as nobody:
        assert (await nobody.open("/console/places?q=tiny")).status_code == 401


async def test_a_page_without_anything_says_what_to_do(live: Live, as_: Opens) -> None:
    await live.platform.people.first_owner()
    async with as_("owner") as browser:
        assert "There is no app yet." in (await browser.open("/console/")).text
        await live.platform.apps.create("tiny", "owner")
        for path in ("", "/runs", "/releases", "/updates", "/settings"):
            answer = await browser.open(f"/console/apps/tiny{path}")
            assert answer.status_code == 200, answer.text[:2000]
            assert path == "/settings" or "yet." in answer.text


async def test_a_viewer_is_offered_nothing_in_vain(past: Past, as_: Opens) -> None:
    async with as_("vera") as browser:
        for path in PATHS:
            answer = await browser.open(filled(path, past))
            deeds = {form.fields["deed"] for form in browser.forms() if "deed" in form.fields}
            assert (answer.status_code, deeds) == (403 if path == "/audit" else 200, set()), path


async def test_what_is_not_there_is_said(past: Past, as_: Opens) -> None:
    async with as_("vera") as browser:
        for path in ("nonsense", "apps/none", "apps/tiny/runs/run_0", "apps/tiny/releases/v9"):
            answer = await browser.open(f"/console/{path}")
            assert (answer.status_code, "<h1>" in answer.text) == (404, True), path
        assert (await browser.open("/console/apps/tiny?panel=none")).status_code == 404
        assert (await browser.open("/console/apps/tiny/runs?before=%00")).status_code == 422


async def test_a_log_is_read_found_and_taken_away(past: Past, as_: Opens) -> None:
    async with as_("vera") as browser:
        run = f"/console/apps/tiny/runs/{past.runs[3]}"
        text = (await browser.open(run)).text
        assert '<span class="ansi-green">PASSED</span>' in text
        assert 'id="L5"' in text, "the step that failed is shown first"
        found = (await browser.open(f"{run}?step=test+unit&find=assert")).text
        assert "1 line of 5 holds" in found
        assert 'id="L1"' not in found
        raw = await browser.open(f"{run}/log?step=test+unit")
        assert raw.headers["content-type"].startswith("text/plain")
        assert raw.headers["content-disposition"].startswith("attachment")
        assert len(raw.text.splitlines()) == 5
        assert "\x1b" not in raw.text


async def test_the_status_page_tells_of_chosen_apps_alone(
    database: db.Database, home: pathlib.Path
) -> None:
    parts = platform.parts(database, home, status_pages=("tiny",))
    async with platform.served(parts) as live, httpx2.AsyncClient(base_url=live.url) as nobody:
        await history.lay_out(live)
        page = await nobody.get("/console/status/tiny")
        assert (page.status_code, "tiny is up." in page.text) == (200, True)
        assert not [name for name in ("olga", "ana", "bo ") if name in page.text]
        assert (await nobody.get("/console/status/other")).status_code == 404


async def test_what_changes_is_told_at_once(
    past: Past, live: Live, as_: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BEAT", 0.2)
    async with as_("vera") as browser:
        address = f"/console/live/tiny/{past.runs[4]}?step=test+unit&after=0.0"
        async with browser.http.stream("GET", address) as stream:
            events = stream.aiter_lines()
            seen = [line async for line in until(events, "event: lines")]
            assert "event: changed" in seen
            await live.platform.runs.set_state(past.runs[4], State.SUCCEEDED, "Done.")
            assert "event: changed" in [line async for line in until(events, "event: changed")]
            await live.platform.sessions.end_others("vera", "")
            await live.platform.runs.notify(past.runs[4])
            assert "event: over" in [line async for line in until(events, "event: over")]


async def test_each_kind_of_change_is_told(
    past: Past, live: Live, as_: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BEAT", 3600.0)  # nothing is seen by looking now and then
    on, release = live.platform, past.releases[2].id

    async def an_instance_is_gone() -> None:
        live.machine.places.append(
            Place(app="tiny", environment="production", release="r", deployment="d", index=0)
        )
        await on.runs.notify("run_other")

    pause = "update updates.groups set state = 'paused' where id = 'upd_2'"
    changes: Sequence[Callable[[], Awaitable[object]]] = (
        lambda: on.approvals.give(release, "production", "bo"),
        lambda: on.releases.judge(release, "production", "x", open=True, sentence="Yes."),
        lambda: on.database.run(pause),
        lambda: on.variables.set("tiny", "production", "A", "b", None, "bo"),
        an_instance_is_gone,
    )
    async with as_("vera") as browser, browser.http.stream("GET", "/console/live/tiny") as stream:
        events = stream.aiter_lines()
        assert "event: changed" in [line async for line in until(events, "event: changed")]
        for change in changes:
            await change()
            told = [line async for line in until(events, "event: changed")]
            assert told[-1] == "event: changed"


async def until(lines: AsyncIterator[str], wanted: str) -> AsyncIterator[str]:
    """Yield lines up to the wanted one."""
    async for line in lines:
        yield line
        if line == wanted:
            return
