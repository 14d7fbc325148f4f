"""What the chaos tests counted, for the last line of `./dev soak`.

``SHIPWAY_TALLY`` names a file that every process of every round adds lines to.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections import Counter
from typing import Any

PARTS = "parts"
"""The test that kills other parts than the worker, and names them."""


def is_kept() -> bool:
    """Whether somebody sums up: a soak."""
    return "SHIPWAY_TALLY" in os.environ


def add(**counted: Any) -> None:
    """Add a line, where somebody sums up. One write: processes do not mix their lines."""
    if file := os.environ.get("SHIPWAY_TALLY"):
        with pathlib.Path(file).open("a") as tally:
            tally.write(json.dumps(counted) + "\n")


def tell(sentence: str) -> None:
    """Tell what was seen, of a test whose output nobody sees while it passes."""
    print(sentence)
    add(told=sentence)


def kills(
    of: str, by_target: Counter[str], double_effects: list[str], *, lost_requests: int = 0
) -> None:
    """Tell what was killed how often, what happened twice, and how many users it cost an answer."""
    print(f"{by_target.total()} kills: {dict(sorted(by_target.items()))}")
    add(test=of, kills=dict(by_target), double_effects=double_effects, lost_requests=lost_requests)


def read(file: pathlib.Path) -> list[dict[str, Any]]:
    """Return the lines of a tally."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
