"""Switches under load through TLS, beside a stop and start: `./dev bench switch`.

Production goes back and forth between two warm releases while users ask, most on connections that
they keep, some on a new one each time. A switch lasts from the command (the API call) to the last
answer of the release that was left. Beside it stands what a plain script gets behind the same
Envoy with the same two releases: it stops the old instances, then starts the new on their ports.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from bench import figures, plain, stand
from demo.load import Load
from demo.stage import Failed, Stage

ENOUGH = 60
"""So many answers of the new release follow before the old one is held to be silent."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Switches under load, and a stop and start")
    parser.add_argument("--switches", type=int, default=50, help="how many switches")
    parser.add_argument("--restarts", type=int, default=10, help="how many stops and starts")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        await stage.invite_approver()
        for version in ("1", "2"):
            await stand.release(stage, version)
        ours = await switches(stage, arguments.switches)
        theirs = await restarts(stage, arguments.restarts)
        return told(ours, theirs)

    return stand.run("switch", measure, longest_seconds=1500)


async def switches(stage: Stage, count: int) -> dict[str, Any]:
    """Switch production so many times. Returns the load's figures and the times in seconds."""
    stand.say(f"{count} switches between two warm releases")
    answered, live, silent = [], [], []
    async with stand.users(stage) as users, stage.api("ada") as api:
        await users.see("2", times=ENOUGH)
        for number in range(count):
            new, old = ("1", "2") if number % 2 == 0 else ("2", "1")
            began = time.monotonic()
            deployment = await api.roll_back(stage.app, "production", to=f"v{new}")
            answered.append(time.monotonic() - began)
            async for seen in api.follow_deployment(deployment):
                deployment = seen
            live.append(time.monotonic() - began)
            if deployment.state != "live":
                raise Failed(deployment.sentence)
            await users.see(new, times=ENOUGH)
            silent.append(users.last_seen(old) - began)
    return {
        "load": load_of(users),
        "command_to_answer_seconds": figures.spread(answered),
        "command_to_last_request_seconds": figures.spread(silent),
        "command_to_live_seconds": figures.spread(live),
    }


async def restarts(stage: Stage, count: int) -> dict[str, Any]:
    """Stop and start so many times. A gap has no good answer of either release in it."""
    stand.say(f"{count} times a stop and start of the same two releases")
    gaps, failed = [], []
    async with plain.instances(stage) as instances:
        await instances.start("1")
        async with stand.users(stage) as users:
            await users.see("1", times=ENOUGH)
            for number in range(count):
                new, old = ("2", "1") if number % 2 == 0 else ("1", "2")
                before = failures(users)
                await instances.stop()
                await instances.start(new)
                first = await first_answer(users, new)
                gaps.append(first - users.last_seen(old))
                await users.see(new, times=ENOUGH)
                failed.append(failures(users) - before)
    return {
        "load": load_of(users),
        "gap_seconds": figures.spread(gaps),
        "failed_requests_each": figures.spread(failed),
    }


async def first_answer(users: Load, version: str) -> float:
    await users.see(version, times=1)
    return users.last_seen(version)


def load_of(users: Load) -> dict[str, Any]:
    """Return the load's figures, each kind of failure once."""
    found = users.figures()
    kinds = {failure.partition(" for url")[0] for failure in found["failures"]}
    return found | {"failures": sorted(kinds)}


def failures(users: Load) -> int:
    return len(users.failures())


def told(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    rows = [
        figures.spread_row(
            "switch: command to last request", ours["command_to_last_request_seconds"]
        ),
        figures.spread_row("switch: command to live", ours["command_to_live_seconds"]),
        figures.spread_row("stop and start: gap", theirs["gap_seconds"]),
    ]
    figures.table("Seconds", [figures.SPREAD_HEAD, *rows])
    heads = ("", "requests", "failed", "per second")
    loads = [
        (name, *_of(found["load"]))
        for name, found in (("switch", ours), ("stop and start", theirs))
    ]
    figures.table("Requests", [heads, *loads])
    return {"switch": ours, "stop_and_start": theirs}


def _of(load: dict[str, Any]) -> tuple[object, ...]:
    return load["requests"], load["failed_requests"], load["requests_per_second"]


if __name__ == "__main__":
    sys.exit(main())
