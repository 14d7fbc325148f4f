"""Stories and chaos at full size, in new orders: `./dev soak [--rounds N] [--shifts N] [--minutes N]`.

One round takes about an hour of a quiet machine with two cores. The last line says how many kills
there were of how many parts, how many effects were double, how many requests were lost, and whether
all is well; the line before it says the same as JSON. The first round that fails is the last; the
exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from tests.chaos import tally, victims

HERE = pathlib.Path(__file__).parents[2]
TOLD = (
    "tests/contracts/updates/test_histories.py",
    "tests/integration/builds/test_bad_days.py",
    "tests/integration/builds/test_python_servers.py",
    "tests/integration/builds/test_expo.py",
    "tests/integration/git/test_bad_pushes.py",
    "tests/integration/runtime/test_instances.py",
    "tests/stories",
    "tests/chaos",
    "tests/soak",
)
EVERYTHING = {
    "SHIPWAY_KILL_AT": "before inside done recorded",
    "SHIPWAY_HISTORIES": "100",
    "SHIPWAY_STRANGERS": "all",
    "SHIPWAY_MANY_FILES": "50000",
    "SHIPWAY_HUGE_FILE": "2000000000",
    "SHIPWAY_SLOW_SECONDS": "90",
}
"""Where the same tests in `./dev test` make do with a selection."""

SHIFTS = 5
"""One such history takes three minutes: as many as there are parts take an hour and a half more."""


def main() -> int:
    every = len(victims.PARTS)
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often all of it; once")
    parser.add_argument(
        "--shifts",
        type=int,
        default=SHIFTS,
        help=f"histories in which each part dies, {SHIFTS}; {every} kill each in each step",
    )
    parser.add_argument(
        "--minutes", type=float, default=90, help="what has not begun by then is left out; 90"
    )
    asked = parser.parse_args()
    began, rounds, status = time.monotonic(), 0, 0
    until = time.time() + asked.minutes * 60
    with tempfile.TemporaryDirectory(prefix="shipway-soak-") as folder:
        file = pathlib.Path(folder) / "tally"
        while not status and rounds < asked.rounds and time.time() < until:
            rounds += 1
            say(
                f"round {rounds} of {asked.rounds}, until {time.strftime('%H:%M', time.localtime(until))}"
            )
            status = one_round(file, shifts=asked.shifts, until=until)
        found = summed(tally.read(file), rounds, time.monotonic() - began)
    if status and not found["failures"]:
        found["failures"] = [f"pytest ended with status {status}"]
    *told, end = sentences(found)
    print(*told, json.dumps({"soak": found}), end, sep="\n", flush=True)
    return 0 if is_well(found) else 1


def say(what: str) -> None:
    print(f"soak: {what}", flush=True)


def one_round(file: pathlib.Path, *, shifts: int, until: float) -> int:
    """Run every test of `TOLD` once, two at a time; return pytest's status."""
    how = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "--tb", "short", "--verbose")
    env = {
        **os.environ,
        **EVERYTHING,
        "SHIPWAY_SHIFTS": str(shifts),
        "SHIPWAY_UNTIL": str(until),
        "SHIPWAY_TALLY": str(file),
    }
    argv = (sys.executable, "-m", "pytest", *how, *TOLD)
    return subprocess.run(argv, cwd=HERE, env=env, check=False).returncode


def summed(lines: list[dict[str, Any]], rounds: int, seconds: float) -> dict[str, Any]:
    """Add up what the tests of all rounds and processes have counted."""
    kills: Counter[str] = Counter()
    parts: set[str] = set()
    for line in lines:
        kills.update(killed := line.get("kills", {}))
        # Where no part is named it is the worker, killed in the step that is.
        parts |= (
            set(killed) if line.get("test") == tally.PARTS else {"the worker"} if killed else set()
        )
    twice = [effect for line in lines for effect in line.get("double_effects", ())]
    return {
        "rounds": rounds,
        "minutes": round(seconds / 60, 1),
        "kills": kills.total(),
        "parts": len(parts),
        "double_effects": len(twice),
        "lost_requests": sum(line.get("lost_requests", 0) for line in lines),
        "told": list(dict.fromkeys(line["told"] for line in lines if "told" in line)),
        "failures": [line["failed"] for line in lines if "failed" in line],
        "left_out": [line["left_out"] for line in lines if "left_out" in line],
        "killed": dict(kills.most_common()),
        "twice": twice,
    }


def is_well(found: dict[str, Any]) -> bool:
    return not (found["failures"] or found["double_effects"] or found["lost_requests"])


def sentences(found: dict[str, Any]) -> list[str]:
    """Say what was found, for people."""
    told = [f"soak: {sentence}" for sentence in found["told"]]
    told += [f"soak: {failed} failed" for failed in found["failures"]]
    told += [f"soak: it happened twice: {effect}" for effect in found["twice"]]
    told += [f"soak: {left} was left out: the time was up" for left in found["left_out"]]
    counted = (
        f"{found['kills']} kills of {found['parts']} parts, "
        f"{found['double_effects']} double effects, {found['lost_requests']} lost requests"
    )
    if found["left_out"]:
        counted += f", {len(found['left_out'])} test(s) left out"
    took = f"{found['rounds']} round(s) in {found['minutes']:g} minutes"
    return [*told, f"soak: {took}: {counted}: {'ok' if is_well(found) else 'not ok'}"]


if __name__ == "__main__":
    sys.exit(main())
