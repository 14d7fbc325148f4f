"""The record of housekeeping, and of what it judges by."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence

from shipway.builds.keeping import Made, Pass, Removal
from shipway.kit import db, errors

_SQL = db.queries(__package__ or "")


class Passes:
    """Each time of housekeeping with what it removed. Every write may be repeated."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def begin(self, name: str, *, by: str, dry_run: bool) -> Pass:
        """Record that housekeeping was asked for."""
        await self._db.run(_SQL["begin_pass"], id=name, by=by, dry_run=dry_run)
        return await self.get(name)

    async def get(self, name: str) -> Pass:
        """Return one. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["pass"], id=name)
        if row is None:
            raise errors.NotFound(f"There was no housekeeping {name}.")
        return Pass(**row)

    async def newest(self, limit: int) -> Sequence[Pass]:
        """Return those that have removed something or tried to, newest first."""
        return [Pass(**row) for row in await self._db.rows(_SQL["passes"], limit=limit)]

    async def open(self) -> Sequence[Pass]:
        """Return those that have not ended, the oldest first."""
        return [Pass(**row) for row in await self._db.rows(_SQL["open_passes"])]

    async def last_ended(self) -> datetime.datetime | None:
        """Return when things were removed last, by the clock of that time."""
        row = await self._db.row(_SQL["last_pass"])
        return row["ended"] if row else None

    async def end(
        self, name: str, sentence: str, removals: Sequence[str], *, now: datetime.datetime
    ) -> None:
        """Record what came of it."""
        told = db.json(list(removals))
        await self._db.run(_SQL["end_pass"], id=name, sentence=sentence, removals=told, now=now)

    # What is judged

    async def made(self) -> Sequence[Made]:
        """Return the artifacts of all runs that are still there, each once."""
        return [Made(**row) for row in await self._db.rows(_SQL["made_artifacts"])]

    async def active_runs(self) -> frozenset[str]:
        return frozenset(row["id"] for row in await self._db.rows(_SQL["active_runs"]))

    async def used_digests(self, since: datetime.datetime) -> frozenset[str]:
        """Return the artifacts that answer for steps which ran, or were answered, since then."""
        rows = await self._db.rows(_SQL["used_digests"], since=since)
        return frozenset(row["digest"] for row in rows)

    async def installs(self, app: str) -> Mapping[str, datetime.datetime]:
        """Return the folders of installs that results refer to, with their last use."""
        rows = await self._db.rows(_SQL["installs"], app=app)
        return {row["folder"]: row["used"] for row in rows}

    async def forget_install(self, app: str, folder: str) -> None:
        await self._db.run(_SQL["forget_install"], app=app, folder=folder)

    async def forget_unused(self, before: datetime.datetime) -> None:
        """Forget results without an install that nobody has asked for since then."""
        await self._db.run(_SQL["forget_unused"], before=before)

    async def mark_removed(self, removals: Collection[Removal]) -> None:
        """Record that the bytes of artifacts are gone; that they were made stays on record."""
        gone = [one.what for one in removals if one.kind == "artifact"]
        await self._db.run(_SQL["mark_removed"], digests=gone)
