"""Figures with their spread, tables for people, and one line of JSON for programs."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def spread(values: Sequence[float], *, digits: int = 3) -> dict[str, float]:
    """Return how many values there are, and their median, 95th percentile, least and most."""
    if not values:
        return {"count": 0}
    told = {
        "median": statistics.median(values),
        "p95": _p95(values),
        "min": min(values),
        "max": max(values),
    }
    return {"count": len(values)} | {name: round(value, digits) for name, value in told.items()}


def _p95(values: Sequence[float]) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def ratio(ours: float, theirs: float) -> float | None:
    """Return how many times theirs ours is; None when theirs is nothing."""
    return round(ours / theirs, 3) if theirs else None


def table(title: str, rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; the first row is the heading."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in texts) for at in range(len(texts[0]))]
    print(f"\n{title}")
    for row in texts:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join((first.strip().ljust(widths[0]), *rest)))


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return "" if cell is None else str(cell)


def spread_row(name: str, found: Mapping[str, float]) -> list[object]:
    """Return a row for `SPREAD_HEAD`."""
    return [name, *(found.get(key) for key in ("count", "median", "p95", "min", "max"))]


SPREAD_HEAD = ("", "count", "median", "p95", "min", "max")


def end(name: str, figures: Mapping[str, Any], load_before: Sequence[float]) -> None:
    """Print every figure as one JSON object, with how busy the machine was."""
    machine = {
        "cores": os.cpu_count(),
        "load_before": [round(one, 2) for one in load_before],
        "load_after": [round(one, 2) for one in os.getloadavg()],
    }
    print(f"\nload average {machine['load_before']} before, {machine['load_after']} after")
    print(json.dumps({"benchmark": name, **figures, "machine": machine}), flush=True)
