"""Adoption and health of updates, from the requests alone.

`intake` writes what it sees into files; the worker reads them in batches. A line is read once: how
far a file was read is recorded together with what it said.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import math
import pathlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipway.kit import clock, db

BATCH = 2 * 1024 * 1024
"""Bytes that are read of a file at once."""

SILENCE = datetime.timedelta(hours=24)
"""A device that was offered an update, and not heard of for so long after that, is silent."""

FEWEST_FAILURES = 3
MOST_FAILING = 0.02
"""A rollout is halted when more than this part of the launches fails, beyond chance."""

_Z = 1.645
"""95 % one-sided."""

_ITEMS = 13
_SQL = db.queries(__package__, "adoption.sql")

Rows = dict[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """How many devices an update has reached, and how far."""

    id: str
    platform: str
    runtime: str
    offered: int
    downloaded: int
    launched: int
    failed: int
    silent: int
    running: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What devices said when a launch failed, and how many said it."""

    error: str
    devices: int


class Adoption:
    """What became of updates on devices."""

    def __init__(
        self, database: db.Database, folder: pathlib.Path, *, now: clock.Clock = clock.now
    ) -> None:
        self._db = database
        self._folder = folder
        self._now = now

    async def read(self) -> int:
        """Take in what `intake` wrote since the last time. Returns the number of lines."""
        files = await asyncio.to_thread(lambda: sorted(self._folder.glob("*.ndjson")))
        rows = await self._db.rows(_SQL["consumed"])
        consumed = {row["file"]: row["bytes"] for row in rows}
        total = 0
        for path in files:
            while lines := await asyncio.to_thread(_lines, path, consumed.get(path.name, 0)):
                consumed[path.name] = consumed.get(path.name, 0) + sum(map(len, lines))
                await self._take_in(path.name, consumed[path.name], lines)
                total += len(lines)
        names = [path.name for path in files]
        await self._db.run(_SQL["forget_consumed"], files=names)
        return total

    async def of(self, group: str) -> Sequence[Adopted]:
        """Return how far each update of a group has come."""
        since = self._now() - SILENCE
        rows = await self._db.rows(_SQL["adoption"], group=group, silent_since=since)
        return [Adopted(**row) for row in rows]

    async def failures(self, group: str) -> Sequence[Failure]:
        """Return what devices said, the most frequent first."""
        return [Failure(**row) for row in await self._db.rows(_SQL["errors"], group=group)]

    async def _take_in(self, file: str, consumed: int, lines: Sequence[bytes]) -> None:
        devices, exposures, hits = _sorted(lines)
        async with self._db.transaction():
            await self._db.run(_SQL["put_devices"], rows=db.json(list(devices.values())))
            await self._db.run(_SQL["put_exposures"], rows=db.json(list(exposures.values())))
            told = [
                {"app": app, "target": target, "base": base, "hits": count}
                for (app, target, base), count in hits.items()
            ]
            await self._db.run(_SQL["hit_patches"], rows=db.json(told))
            await self._db.run(_SQL["consume"], file=file, bytes=consumed)


def _lines(path: pathlib.Path, offset: int) -> list[bytes]:
    """Return whole lines from an offset on. A file that is gone has none."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(BATCH)
    except FileNotFoundError:
        return []
    return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


def _sorted(lines: Iterable[bytes]) -> tuple[Rows, Rows, Counter[tuple[str, str, str]]]:
    """Sort lines into the last state of each device, the exposures, and the patches sent."""
    devices: Rows = {}
    exposures: Rows = {}
    hits: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        if (found := _parsed(line)) is None:
            continue
        kind, app, client, current, update = (
            found[k] for k in ("kind", "app", "client", "current", "update")
        )
        if kind == "f":
            if current:
                hits[app, update, current] += 1
            _expose(exposures, found, update, "downloaded")
            continue
        if client:
            devices[app, client] = _device(found)
        for what, ids in (
            ("launched", [current]),
            ("offered", [update]),
            ("failed", found["failed"]),
        ):
            for one in ids:
                _expose(exposures, found, one, what)
    return devices, exposures, hits


def _parsed(line: bytes) -> dict[str, Any] | None:
    names = (
        "kind", "at", "app", "channel", "platform", "runtime", "client", "current", "embedded",
        "failed", "error", "update", "saved",
    )  # fmt: skip
    try:
        items = json.loads(line)
        found = dict(zip(names, items, strict=True))
        moment = datetime.datetime.fromtimestamp(float(found["at"]), datetime.UTC)
    except (ValueError, TypeError, OverflowError):
        return None  # A line that was cut short by a full disk.
    return {**found, "at": moment.isoformat()}


def _device(found: Mapping[str, Any]) -> dict[str, Any]:
    names = ("app", "client", "channel", "platform", "runtime", "current", "embedded", "at")
    return {name: found[name] for name in names}


def _expose(rows: Rows, found: Mapping[str, Any], update: str, what: str) -> None:
    if not update or not found["client"]:
        return
    key = (found["app"], update, found["client"])
    row = rows.setdefault(key, {"app": key[0], "update_id": key[1], "client": key[2]})
    row.setdefault(what, found["at"])
    if found["error"] and (what == "failed" or (what == "launched" and not found["failed"])):
        row.setdefault("error", found["error"])


def must_halt(adopted: Sequence[Adopted]) -> str:
    """Return why a rollout must not go on, or "".

    The lower end of the Wilson interval of the failing share, so that a few unlucky devices
    among few do not halt what is sound.
    """
    failed = sum(one.failed for one in adopted)
    tried = failed + sum(one.launched for one in adopted)
    if failed < FEWEST_FAILURES:
        return ""
    share, z2 = failed / tried, _Z * _Z
    spread = _Z * math.sqrt(share * (1 - share) / tried + z2 / (4 * tried * tried))
    lowest = (share + z2 / (2 * tried) - spread) / (1 + z2 / tried)
    if lowest <= MOST_FAILING:
        return ""
    return f"{failed} of {tried} devices failed to launch it."
