"""What is kept about migrations: one row for each deployment."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.database.history import Applied
from shipway.database.model import Migration, Report, Statement
from shipway.database.watching import Position
from shipway.kit import db

_SQL = db.queries(__package__ or "")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A migration that has begun, perhaps in a worker that was killed since."""

    before: str
    log_position: Position | None
    unfinished: tuple[str, ...] = ()
    """The indexes that were unfinished before it: they are not its own."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A migration that has begun, and how it ended."""

    deployment: str
    release: str
    state: str
    before: str
    after: str
    statements: tuple[Statement, ...]
    attempts: int
    seconds: float
    sentence: str
    started: datetime.datetime
    ended: datetime.datetime | None


class Records:
    """The rows of ``database.migrations``."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def begin(
        self,
        migration: Migration,
        before: str,
        position: Position | None,
        unfinished: Sequence[str] = (),
    ) -> Begun:
        """Record that a migration runs, or go on with the record of one that was cut off."""
        row = await self._db.row(
            _SQL["begin_migration"],
            deployment=migration.deployment,
            app=migration.app,
            environment=migration.environment,
            release=migration.release,
            before=before,
            log_position=db.json(position) if position else None,
            unfinished=db.json(list(unfinished)),
        )
        assert row
        return Begun(
            before=row["before"],
            log_position=row["log_position"],
            unfinished=tuple(row["unfinished"]),
        )

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

    async def list(
        self, app: str, environment: str, *, limit: int, below: datetime.datetime | None = None
    ) -> Sequence[Past]:
        """Return what has changed a schema, the newest first, what began before ``below``."""
        rows = await self._db.rows(
            _SQL["migrations"],
            app=app,
            environment=environment,
            limit=limit,
            below=below or datetime.datetime.max.replace(tzinfo=datetime.UTC),
        )
        return [
            Past(**{**row, "statements": tuple(Statement(**one) for one in row["statements"])})
            for row in rows
        ]

    async def head(self, app: str, environment: str) -> str | None:
        """Return where the last migration has brought a schema; None when nobody knows."""
        found = await self.list(app, environment, limit=1)
        return found[0].after if found and found[0].state == "succeeded" else None

    async def applied(self, app: str, environment: str) -> dict[str, Applied]:
        """Return the files of migrations that have run."""
        rows = await self._db.rows(_SQL["applied"], app=app, environment=environment)
        return {row["path"]: Applied(row["digest"], row["release"]) for row in rows}

    async def apply(self, migration: Migration, files: Mapping[str, str]) -> None:
        """Record that these files, by their SHA-256, have run, and those behind them have not.

        One that had run before stays as it was then.
        """
        await self._db.run(
            _SQL["unapply"],
            app=migration.app,
            environment=migration.environment,
            paths=[path for path in migration.files if path not in files],
        )
        for path, digest in files.items():
            await self._db.run(
                _SQL["apply"],
                app=migration.app,
                environment=migration.environment,
                path=path,
                digest=digest,
                release=migration.version or migration.release,
            )

    async def succeeded(self, deployment: str) -> Report | None:
        """Return the report of a migration that is done."""
        row = await self._db.row(_SQL["succeeded_migration"], deployment=deployment)
        if row is None:
            return None
        statements = tuple(Statement(**one) for one in row.pop("statements"))
        return Report(**row, statements=statements)
