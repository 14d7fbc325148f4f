"""The adoption of an update as a line in a picture. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

PARTS, WIDTH, HEIGHT = 60, 600, 100


def shares(launches: Sequence[Mapping[str, Any]], devices: int) -> Sequence[float]:
    """Return the per cent of the devices that have launched it at the beginning and after each
    part of the time. Part 0 is what was launched before."""
    if not launches or not devices:
        return ()
    by_part = {min(max(row["part"], 0), PARTS): row["launches"] for row in launches}
    total, found = 0, []
    for part in range(PARTS + 1):
        total += by_part.get(part, 0)
        found.append(round(min(100 * total / devices, 100), 1))
    return found


def curve(shares: Sequence[float]) -> str:
    """Return the points of a line for a picture."""
    return " ".join(
        f"{part * WIDTH / PARTS:g},{round(HEIGHT * (1 - share / 100), 1):g}"
        for part, share in enumerate(shares)
    )


def points(
    shares: Sequence[float], since: datetime.datetime, until: datetime.datetime
) -> tuple[Sequence[int], Sequence[float]]:
    """Return the same for a chart: seconds since 1970, and the shares."""
    length = (until - since).total_seconds() / PARTS
    return [round(since.timestamp() + part * length) for part in range(PARTS + 1)], shares
