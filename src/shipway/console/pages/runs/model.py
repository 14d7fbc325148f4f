"""How long runs took, as a picture. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEIGHT, BROADEST, STRIDE = 40, 9, 12
LOWEST = 2
"""A run that took no time is still seen."""


@dataclass(frozen=True)
class Bar:
    """A run: where it stands, and how high."""

    run: Mapping[str, Any]
    x: int
    height: int
    seconds: float

    @property
    def y(self) -> int:
        return HEIGHT - self.height


def bars(runs: Sequence[Mapping[str, Any]], now: datetime.datetime) -> Sequence[Bar]:
    """Return a bar for each run that has begun, the oldest first, all to one scale."""
    begun = [run for run in reversed(runs) if run["started"]]
    lasted = [((run["ended"] or now) - run["started"]).total_seconds() for run in begun]
    longest = max(lasted, default=0) or 1
    return [
        Bar(run, place * STRIDE, max(round(HEIGHT * seconds / longest), LOWEST), seconds)
        for place, (run, seconds) in enumerate(zip(begun, lasted, strict=True))
    ]
