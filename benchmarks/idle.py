"""What Shipway takes of the machine when nothing happens: `./dev bench idle`.

PSS of every process and its CPU per minute, by the service that it belongs to, with the tiny app in
staging and production. Databases and the app stand apart: they are what the machine is for. Beside
ours stands a floor: the same number of bare Python interpreters.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench import figures, processes, stand
from bench.processes import Taken
from demo.stage import Stage

from shipway import wiring
from shipway.kit import command

GOAL_MB = 400
SETTLE_SECONDS = 45.0
"""Caches fill and chores come round once."""

OURS = ("steward", "worker", "api", "intake", "edge", "keeping")
PYTHONS = 4
MB = 1024**2


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory and CPU of each process at rest")
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        await stage.invite_approver()
        await stand.release(stage, "1")
        stand.say(f"{SETTLE_SECONDS:g} s to settle, then {arguments.seconds:g} s of watching")
        await asyncio.sleep(SETTLE_SECONDS)
        return told(await at_rest(stage, arguments.seconds), await floor())

    return stand.run("idle", measure, longest_seconds=900)


async def at_rest(stage: Stage, seconds: float) -> dict[str, dict[str, float]]:
    """Watch for a while. Returns the figures of each part."""
    parts = await parts_of(stage)
    before = {part: processes.taken(pids) for part, pids in parts.items()}
    began = time.monotonic()
    await asyncio.sleep(seconds)
    minutes = (time.monotonic() - began) / 60
    after = {part: processes.taken(pids) for part, pids in parts.items()}
    return {part: _figures(before[part], after[part], minutes) for part in parts}


def _figures(before: Taken, after: Taken, minutes: float) -> dict[str, float]:
    return {
        "processes": after.processes,
        "pss_mb": round(after.pss / MB, 1),
        "rss_mb": round(after.rss / MB, 1),
        "cpu_seconds_per_minute": round((after.cpu - before.cpu) / minutes, 2),
    }


async def parts_of(stage: Stage) -> Mapping[str, frozenset[int]]:
    """Return the processes of each part: a service and what is below it, and what keeps them."""
    keeper = wiring.keeper(stand.settings_of(stage))
    parts: dict[str, frozenset[int]] = {}
    known: frozenset[int] = frozenset()
    for service in await keeper.services():
        pids = processes.with_children(service.pid)
        kind = service.owner.kind.value
        parts[kind] = parts.get(kind, frozenset()) | pids
        known |= pids
    return parts | {"keeping": processes.keepers(f"{stage.shipway_home}/services") - known}


async def floor() -> dict[str, float]:
    """Return what bare interpreters take, as many as Shipway has."""
    async with contextlib.AsyncExitStack() as stack:
        pids = []
        for _ in range(PYTHONS):
            code = "import asyncio, sys; print(1, flush=True); asyncio.run(asyncio.sleep(60))"
            up = asyncio.Event()
            bare = command.Command(
                argv=(sys.executable, "-c", code), env=command.base_environment()
            )
            running = command.running(bare, on_line=lambda _, up=up: up.set())  # type: ignore[misc]
            pids.append((await stack.enter_async_context(running)).pid)
            await up.wait()
        return {"processes": PYTHONS, "pss_mb": round(processes.taken(pids).pss / MB, 1)}


def told(parts: Mapping[str, Mapping[str, float]], bare: Mapping[str, float]) -> dict[str, Any]:
    heads = ("", "processes", "PSS in MB", "RSS in MB", "CPU s per minute")
    rows = [(part, *parts[part].values()) for part in sorted(parts, key=_order)]
    ours = [found for part, found in parts.items() if part in OURS]
    memory = round(sum(one["pss_mb"] for one in ours), 1)
    resident = round(sum(one["rss_mb"] for one in ours), 1)
    cpu = round(sum(one["cpu_seconds_per_minute"] for one in ours), 2)
    count = sum(int(one["processes"]) for one in ours)
    figures.table("At rest", [heads, *rows, ("Shipway in all", count, memory, resident, cpu)])
    print(f"goal {GOAL_MB} MB; {PYTHONS} bare interpreters with asyncio take {bare['pss_mb']} MB")
    return {
        "parts": parts,
        "shipway_pss_mb": memory,
        "shipway_rss_mb": resident,
        "goal_mb": GOAL_MB,
        "of_goal": figures.ratio(memory, GOAL_MB),
        "bare_interpreters": bare,
        "of_bare_interpreters": figures.ratio(memory, bare["pss_mb"]),
        "shipway_cpu_seconds_per_minute": cpu,
    }


def _order(part: str) -> tuple[bool, str]:
    return part not in OURS, part


if __name__ == "__main__":
    sys.exit(main())
