"""The console with a year of data, and a hundred people looking: `./dev bench console`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import idle
import psycopg
from bench import figures, filling, processes, stand
from demo import console
from demo.stage import Stage

READS = 30
PUSHES = 5
LONGEST_SECONDS = 0.2
QUIET_SECONDS = BUSY_SECONDS = 20.0
NEWS_PER_SECOND = 2
KILO = 1000
MOST_KILOBYTES = 150

UPDATES = """
insert into updates.groups (id, app, branch, key, kind, version, per_mille, state, size)
select 'upd_0' || n, %(app)s, 'production', 'upd_0' || n, 'publish', 'v' || n, 1000, 'whole', 1000000
from generate_series(1, %(count)s) n
"""
ENTRIES = """
insert into updates.entries (id, "group", app, branch, platform, runtime, kind, created, body, signatures)
select 'upd_0' || n || p, 'upd_0' || n, %(app)s, 'production', p, '1', 'update', n, '{}', '{}'
from generate_series(1, %(count)s) n, unnest(array['ios', 'android']) p
"""
EXPOSURES = """
insert into updates.exposures (app, update_id, client, offered, downloaded, launched)
select %(app)s, 'upd_0' || n || p, 'device ' || d, now(), now(), now()
from generate_series(1, %(count)s) n, unnest(array['ios', 'android']) p, generate_series(1, 50) d
"""
DEVICES = """
insert into updates.devices (app, client, channel, platform, runtime, current, first_at, last_at)
select %(app)s, 'device ' || d, 'production', 'ios', '1', 'upd_0' || %(count)s || 'ios', now(), now()
from generate_series(1, 5000) d
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="The console's pages and streams")
    parser.add_argument(
        "--runs", type=int, default=10_000, help="how many runs, each with a release"
    )
    parser.add_argument("--updates", type=int, default=1000, help="how many updates")
    parser.add_argument("--streams", type=int, default=100, help="how many pages are open")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        await stage.invite_approver()
        await stand.release(stage, "1")
        url = stand.settings_of(stage).database_url
        lines = await first_lines(stage, url)
        stand.say("filling the record with a year")
        rows = await filling.fill(url, app=stage.app, apps=1, runs=arguments.runs)
        rows |= await updates(url, stage.app, arguments.updates)
        async with signed_in(stage) as http:
            pages = await read(stage, http)
            streams = await look_on(stage, http, url, arguments.streams)
        visit = await first_visit(stage)
        return {
            "pages": pages, "first_visit": visit, **streams,
            "seconds_from_push": lines, "rows": rows,
        }  # fmt: skip

    return stand.run("console", measure, longest_seconds=1200)


async def first_lines(stage: Stage, url: str) -> dict[str, dict[str, float]]:
    """Push to a branch while the overview is open in Chromium, and follow the run that appears
    there: seconds from the push to each moment."""
    stand.say(f"{PUSHES} pushes, looked at in Chromium")
    seconds: dict[str, list[float]] = {
        "recorded": [],
        "begun": [],
        "seen": [],
        "first line seen": [],
    }
    async with console.chromium() as browser, console.signed_in(browser, stage, "dev") as page:
        for number in range(PUSHES):
            branch = f"look-{number}"
            await stage.git("switch", "--quiet", "--create", branch, "main")
            await stand.change_version(stage, f"look {number}")
            async with page.expect_response(lambda answer: "/console/live/" in answer.url):
                await page.goto(f"{stage.api_url}/console/apps/{stage.app}")
            began = time.time()
            push = asyncio.create_task(stage.git("push", "--quiet", "shipway", branch))
            await page.locator("a.row", has_text=branch).first.click()
            seconds["seen"].append(time.time() - began)
            await page.locator("ol.log li").first.wait_for()
            seconds["first line seen"].append(time.time() - began)
            await push
            for name, moment in (await moments(url, branch)).items():
                seconds[name].append(moment - began)
        await stage.git("switch", "--quiet", "main")
    told = {name: figures.spread(values) for name, values in seconds.items()}
    head = [*figures.SPREAD_HEAD, "goal"]
    rows = [[*figures.spread_row(name, one), ""] for name, one in told.items()]
    rows[-1][-1] = "below 1"
    figures.table("Seconds from git push, with the overview open in Chromium", [head, *rows])
    return told


async def moments(url: str, branch: str) -> dict[str, float]:
    """Return when the run of a branch was recorded, and when it began: seconds since 1970."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute(
            "select extract(epoch from created)::float8, extract(epoch from started)::float8"
            " from builds.runs where branch = %s order by id desc limit 1",
            [branch],
        )
        recorded, begun = await found.fetchone() or (0.0, 0.0)
    return {"recorded": recorded, "begun": begun}


async def updates(url: str, app: str, count: int) -> dict[str, int]:
    """Put updates and what devices made of them on record."""
    made = {}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for name, statement in (
            ("groups", UPDATES), ("entries", ENTRIES), ("exposures", EXPOSURES), ("devices", DEVICES),
        ):  # fmt: skip
            done = await connection.execute(statement.encode(), {"app": app, "count": count})
            made[f"updates.{name}"] = done.rowcount
        await connection.execute("analyze")
    return made


@contextlib.asynccontextmanager
async def signed_in(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client that is signed in as the owner."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        base_url=stage.api_url, trust_env=False, timeout=60, limits=limits
    ) as http:
        entered = await http.post(await console.link(stage, "dev"))
        assert entered.status_code == httpx2.codes.SEE_OTHER, entered.text
        yield http


async def read(stage: Stage, http: httpx2.AsyncClient) -> dict[str, Any]:
    """Ask for every page again and again: seconds, and bytes as they are sent."""
    stand.say("reading every page")
    told: dict[str, Any] = {}
    for name, path in (await console.paths(stage)).items():
        seconds, size = [], 0
        for _ in range(READS + 1):
            began = time.monotonic()
            async with http.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
                size = sum([len(part) async for part in answer.aiter_raw()])
            seconds.append(time.monotonic() - began)
            assert answer.status_code == httpx2.codes.OK, path
        told[name] = {"seconds": figures.spread(seconds[1:]), "kilobytes": round(size / KILO, 1)}
    head = ("page", "median s", "p95 s", "goal s", "kB compressed")
    rows = [
        (name, one["seconds"]["median"], one["seconds"]["p95"], LONGEST_SECONDS, one["kilobytes"])
        for name, one in told.items()
    ]
    figures.table("Pages over HTTP, with a year of data", [head, *rows])
    return told


async def first_visit(stage: Stage) -> dict[str, Any]:
    """Open the overview in Chromium with nothing cached: requests, bytes and moments."""
    stand.say("opening the overview in Chromium")
    async with console.chromium() as browser, console.signed_in(browser, stage, "dev") as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await page.goto(f"{stage.api_url}/console/apps/{stage.app}")
        await page.wait_for_function(
            "performance.getEntriesByName('first-contentful-paint').length > 0"
        )
        found: dict[str, float] = await page.evaluate(
            """() => {
                const [page] = performance.getEntriesByType("navigation");
                const files = performance.getEntriesByType("resource");
                const sent = [page, ...files].filter((one) => one.initiatorType !== "other");
                const [paint] = performance.getEntriesByName("first-contentful-paint");
                return {
                    requests: sent.length,
                    kilobytes: sent.reduce((sum, one) => sum + one.transferSize, 0) / 1000,
                    first_byte_ms: page.responseStart - page.requestStart,
                    first_paint_ms: paint ? paint.startTime : 0,
                    ready_ms: page.domContentLoadedEventEnd,
                    load_ms: page.loadEventEnd,
                };
            }"""
        )
    told = {name: round(value, 1) for name, value in found.items()}
    goal = {"kilobytes": f"at most {MOST_KILOBYTES}"}
    rows = [(name, value, goal.get(name, "")) for name, value in told.items()]
    figures.table("The overview in Chromium, nothing cached", [("", "found", "goal"), *rows])
    return told


async def look_on(
    stage: Stage, http: httpx2.AsyncClient, url: str, count: int
) -> dict[str, dict[str, float]]:
    """Hold streams open, and measure the process that serves them: at rest, then with news."""
    stand.say(f"holding {count} streams open")
    pids = (await idle.parts_of(stage))["api"]
    before = processes.taken(pids)
    heard = Heard(count)
    path = f"/console/live/{stage.app}"
    listeners = [asyncio.create_task(listen(http, path, heard)) for _ in range(count)]
    try:
        await heard.all_have.wait()
        quiet = await taken(pids, QUIET_SECONDS)
        begun = heard.news
        news = asyncio.create_task(tell(url, stage.app))
        busy = await taken(pids, BUSY_SECONDS)
        news.cancel()
        told = {
            "streams": {
                "count": count,
                "memory_mb": round((processes.taken(pids).pss - before.pss) / idle.MB, 1),
                "cpu_percent_quiet": quiet,
                "cpu_percent_busy": busy,
                "news_told_per_second": round((heard.news - begun) / BUSY_SECONDS, 1),
            }
        }
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    figures.table("Open event streams", [("", "found"), *told["streams"].items()])
    return told


class Heard:
    """Counts what all streams together were told."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self.news = 0
        self.all_have = asyncio.Event()

    def count(self) -> None:
        self.news += 1
        if self.news >= self._streams:
            self.all_have.set()


async def listen(http: httpx2.AsyncClient, path: str, heard: Heard) -> None:
    async with http.stream("GET", path, timeout=None) as stream:
        async for line in stream.aiter_lines():
            if line == "event: changed":
                heard.count()


async def taken(pids: frozenset[int], seconds: float) -> float:
    """Return the per cent of one core that processes take in so many seconds."""
    began = processes.taken(pids).cpu
    await asyncio.sleep(seconds)
    return round(100 * (processes.taken(pids).cpu - began) / seconds, 1)


async def tell(url: str, app: str) -> None:
    """Make news of the newest run, again and again."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        number = 0
        while True:
            number += 1
            await connection.execute(
                "update builds.runs set sentence = 'News ' || %s"
                " where id = (select max(id) from builds.runs where app = %s)",
                [number, app],
            )
            await connection.execute("notify shipway_run, 'run_news'")
            await asyncio.sleep(1 / NEWS_PER_SECOND)


if __name__ == "__main__":
    sys.exit(main())
