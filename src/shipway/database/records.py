"""What is kept about migrations: one row for each deployment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from shipway.database.model import Migration, Report, Statement
from shipway.database.watching import Position
from shipway.kit import db

_SQL = db.queries(__package__ or "")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A migration that has begun, perhaps in a worker that was killed since."""

    before: str
    log_position: Position | None


class Records:
    """The rows of ``database.migrations``."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def begin(self, migration: Migration, before: str, position: Position | None) -> Begun:
        """Record that a migration runs, or go on with the record of one that was cut off."""
        row = await self._db.row(
            _SQL["begin_migration"],
            deployment=migration.deployment,
            app=migration.app,
            environment=migration.environment,
            release=migration.release,
            before=before,
            log_position=db.json(position) if position else None,
        )
        assert row
        return Begun(before=row["before"], log_position=row["log_position"])

    async def count_attempt(self, migration: Migration) -> int:
        """Return how many attempts there have been, with this one."""
        row = await self._db.row(_SQL["count_attempt"], deployment=migration.deployment)
        assert row
        return int(row["attempts"])

    async def end(self, migration: Migration, report: Report, *, failure: str = "") -> None:
        """Record how a migration ended: with ``failure``, a sentence, or well."""
        await self._db.run(
            _SQL["end_migration"],
            deployment=migration.deployment,
            state="failed" if failure else "succeeded",
            after=report.after,
            statements=db.json([dataclasses.asdict(one) for one in report.statements]),
            seconds=report.seconds,
            sentence=failure or report.sentence,
        )

    async def succeeded(self, deployment: str) -> Report | None:
        """Return the report of a migration that is done."""
        row = await self._db.row(_SQL["succeeded_migration"], deployment=deployment)
        if row is None:
            return None
        statements = tuple(Statement(**one) for one in row.pop("statements"))
        return Report(**row, statements=statements)
