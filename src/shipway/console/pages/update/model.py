"""The adoption of an update as a line in a picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS, WIDTH, HEIGHT = 60, 600, 100


def curve(launches: Sequence[Mapping[str, Any]], devices: int) -> str:
    """Return the points of a line that rises from nothing to the part that has launched it."""
    if not launches or not devices:
        return ""
    by_part = {min(max(row["part"], 1), PARTS): row["launches"] for row in launches}
    total = 0
    points = [(0.0, float(HEIGHT))]
    for part in range(1, PARTS + 1):
        total += by_part.get(part, 0)
        share = min(total / devices, 1)
        points.append((part * WIDTH / PARTS, round(HEIGHT * (1 - share), 1)))
    return " ".join(f"{x:g},{y:g}" for x, y in points)
