"""What is kept about rehearsals: one row for each, with all that was seen."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from shipway.database.rehearsal import Rehearsal
from shipway.kit import db, errors

_SQL = db.queries(__package__ or "")
_REPORT = pydantic.TypeAdapter(Rehearsal)


class Rehearsed:
    """The rows of ``database.rehearsals``."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def keep(self, rehearsal: Rehearsal) -> None:
        """Record a rehearsal, or what became of it."""
        await self._db.run(
            _SQL["keep_rehearsal"],
            id=rehearsal.id,
            app=rehearsal.app,
            environment=rehearsal.environment,
            release=rehearsal.release,
            state=rehearsal.state,
            report=db.json(_REPORT.dump_python(rehearsal, mode="json")),
            at=rehearsal.at,
        )

    async def get(self, rehearsal: str) -> Rehearsal:
        row = await self._db.row(_SQL["rehearsal"], id=rehearsal)
        if row is None:
            raise errors.NotFound(f"There is no rehearsal {rehearsal}.")
        return _REPORT.validate_python(row["report"])

    async def newest(
        self, app: str, environment: str, *, release: str = "", limit: int = 1
    ) -> Sequence[Rehearsal]:
        """Return the newest rehearsals of migrations, perhaps those of one release."""
        rows = await self._db.rows(
            _SQL["rehearsals"], app=app, environment=environment, release=release, limit=limit
        )
        return [_REPORT.validate_python(row["report"]) for row in rows]
