"""Twenty apps and ten thousand runs in the record: `./dev bench scale`.

What people wait for and what Shipway takes, with one app and its one release, and then with many
real apps, each with instances in staging and production, and a full record. What came before in
the record (releases, deployments, runs, steps, the engine's own) is copied from one real run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import idle
from bench import crowd, figures, filling, processes, stand
from demo.stage import Stage
from push import Pushes

READS = 20
COMMANDS = 3
PAGE = 50


def main() -> int:
    parser = argparse.ArgumentParser(description="A record of many apps and runs")
    parser.add_argument("--apps", type=int, default=20, help="how many apps")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs in all")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        await stage.invite_approver()
        await stand.release(stage, "1")
        pushes = Pushes(stage)
        await pushes.prepare()
        empty = await look(stage, pushes)
        stand.say(f"bringing {arguments.apps - 1} more apps to production")
        await crowd.gather(stage, [f"scale-{number}" for number in range(1, arguments.apps)])
        stand.say(f"filling the record with {arguments.runs} runs")
        url = stand.settings_of(stage).database_url
        rows = await filling.fill(url, app=stage.app, apps=arguments.apps, runs=arguments.runs)
        full = await look(stage, pushes)
        return told(empty, full) | {"rows": rows}

    return stand.run("scale", measure, longest_seconds=2400)


async def look(stage: Stage, pushes: Pushes) -> dict[str, dict[str, float]]:
    """Stop and start Shipway, then measure what people wait for, and memory."""
    stand.say("stopping and starting Shipway")
    await stage.shipway("down")
    found = {"start-up": await timed(lambda: stage.shipway("up"), 1)}
    async with stage.api() as api:
        found["status, over the API"] = await timed(api.status, READS)
        found["runs, a page over the API"] = await timed(
            lambda: api.runs(stage.app, limit=PAGE), READS
        )
        found["releases, a page over the API"] = await timed(
            lambda: api.releases(stage.app, limit=PAGE), READS
        )
    found["shipway status"] = await timed(lambda: stage.shipway("status"), COMMANDS)
    found["shipway runs"] = await timed(lambda: stage.shipway("runs"), COMMANDS)
    pushes.seconds.clear()
    for _ in range(COMMANDS):
        await pushes.branch(time.monotonic_ns())
    found["push of a new branch, to the first line"] = figures.spread(
        pushes.seconds["branch", "shipway"]
    )
    for part, pids in (await idle.parts_of(stage)).items():
        taken = processes.taken(pids)
        found[f"memory of {part}, MB"] = figures.spread([taken.pss / idle.MB])
        if part == "server":
            found["processes of servers"] = figures.spread([taken.processes])
    return found


async def timed(act: Callable[[], Awaitable[object]], times: int) -> dict[str, float]:
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        await act()
        seconds.append(time.monotonic() - began)
    return figures.spread(seconds)


def told(empty: dict[str, dict[str, float]], full: dict[str, dict[str, float]]) -> dict[str, Any]:
    rows: list[tuple[object, ...]] = [("", "one run", "p95", "full record", "p95", "ratio")]
    for name, one in empty.items():
        many = full[name]
        times = figures.ratio(many["median"], one["median"])
        rows.append((name, one["median"], one["p95"], many["median"], many["p95"], times))
    figures.table("Seconds, where nothing else is said", rows)
    return {"one_run": empty, "full_record": full}


if __name__ == "__main__":
    sys.exit(main())
