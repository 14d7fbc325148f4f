"""Stories and chaos again and again, in new orders: `./dev soak [MINUTES]`.

The last lines say what was seen, how many kills there were and how many effects were double, over all
rounds, and the same as JSON. The first round that fails is the last; the exit status is then 1.
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

from tests.chaos import tally

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=60, help="60, unless said")
    minutes = parser.parse_args().minutes
    began, rounds, status = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="shipway-soak-") as folder:
        file = pathlib.Path(folder) / "tally"
        while not status and time.monotonic() - began < minutes * 60:
            rounds += 1
            print(f"soak: round {rounds}", flush=True)
            status = one_round(file)
        found = summed(tally.read(file), rounds, time.monotonic() - began)
    if status and not found["failures"]:
        found["failures"] = [f"pytest ended with status {status}"]
    print(*sentences(found), json.dumps({"soak": found}), sep="\n", flush=True)
    return 1 if found["failures"] or found["double_effects"] else 0


def one_round(file: pathlib.Path) -> int:
    """Run every test of `TOLD` once, two at a time; return pytest's status."""
    argv = (
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "--tb",
        "short",
        *TOLD,
    )
    env = {**os.environ, **EVERYTHING, "SHIPWAY_TALLY": str(file)}
    return subprocess.run(argv, cwd=HERE, env=env, check=False).returncode


def summed(lines: list[dict[str, Any]], rounds: int, seconds: float) -> dict[str, Any]:
    """Add up what the tests of all rounds and processes have counted."""
    kills: Counter[str] = Counter()
    for line in lines:
        kills.update(line.get("kills", {}))
    twice = [effect for line in lines for effect in line.get("double_effects", ())]
    return {
        "rounds": rounds,
        "minutes": round(seconds / 60, 1),
        "kills": kills.total(),
        "double_effects": len(twice),
        "told": list(dict.fromkeys(line["told"] for line in lines if "told" in line)),
        "failures": [line["failed"] for line in lines if "failed" in line],
        "killed": dict(kills.most_common()),
        "twice": twice,
    }


def sentences(found: dict[str, Any]) -> list[str]:
    """Say what was found, for people."""
    told = [f"soak: {sentence}" for sentence in found["told"]]
    told += [f"soak: {failed} failed" for failed in found["failures"]]
    told += [f"soak: it happened twice: {effect}" for effect in found["twice"]]
    end = f"{len(found['failures'])} failure(s)" if found["failures"] else "none failed"
    done = f"{found['rounds']} round(s) in {found['minutes']:g} minutes, {end}"
    counted = f"{found['kills']} kills, {found['double_effects']} double effects"
    return [*told, f"soak: {done}: {counted}"]


if __name__ == "__main__":
    sys.exit(main())
