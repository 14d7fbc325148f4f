"""Where a run's steps stand in time, and which of them a reader wants to see. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 1000
"""The width of the picture; `NARROWEST` keeps the shortest step visible."""
NARROWEST = 4

Step = Mapping[str, Any]


def bars(steps: Sequence[Step], now: datetime.datetime) -> Mapping[str, tuple[int, int]]:
    """Return where each step begins in the picture and how wide it is."""
    begun = [step for step in steps if step["started"]]
    if not begun:
        return {}
    first = min(step["started"] for step in begun)
    last = max(step["ended"] or now for step in begun)
    whole = max((last - first).total_seconds(), 0.001)
    return {step["name"]: _bar(step, first, whole, now) for step in begun}


def _bar(
    step: Step, first: datetime.datetime, whole: float, now: datetime.datetime
) -> tuple[int, int]:
    begins = (step["started"] - first).total_seconds()
    lasts = ((step["ended"] or now) - step["started"]).total_seconds()
    width = max(int(WIDTH * lasts / whole), NARROWEST)
    return min(int(WIDTH * begins / whole), WIDTH - width), width


def layers(steps: Sequence[Step]) -> Sequence[Sequence[Step]]:
    """Return the steps that run side by side, layer by layer; nothing of a run whose steps were
    recorded before their layers were."""
    found: dict[int, list[Step]] = {}
    for step in steps:
        if step["layer"] is not None:
            found.setdefault(step["layer"], []).append(step)
    known = [found[layer] for layer in sorted(found)]
    return known if sum(map(len, known)) == len(steps) else ()


def chosen(steps: Sequence[Step], wanted: str) -> str:
    """Return the step to look at: the one asked for, else where something went wrong, else what
    runs, else the last that has begun."""
    names = [step["name"] for step in steps]
    if wanted in names:
        return wanted
    for state in ("failed", "refused", "running"):
        for step in steps:
            if step["state"] == state:
                return str(step["name"])
    begun = [step["name"] for step in steps if step["started"]]
    return str(begun[-1]) if begun else names[0] if names else ""
