"""The audit trail: who did what to which thing. The database refuses to change or delete a row."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipway.kit import db

_SQL = db.queries(__package__)


@dataclass(frozen=True)
class Entry:
    """One line of the trail. ``what`` is a thing and a verb, such as ``app.create``."""

    id: int
    at: datetime.datetime
    who: str
    what: str
    target: str
    detail: Mapping[str, Any]


class Audit:
    """Adds to the trail, in the caller's transaction where there is one."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def record(
        self, who: str, what: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """``detail`` is JSON-able and holds no secret."""
        await self._db.run(
            _SQL["record"], who=who, what=what, target=target, detail=db.json(dict(detail or {}))
        )

    async def list(self, *, limit: int, before: int | None = None) -> tuple[Entry, ...]:
        """Return entries, the newest first, from below the id ``before``."""
        rows = await self._db.rows(_SQL["trail"], limit=limit, before=before)
        return tuple(Entry(**row) for row in rows)

    async def pusher(self, app: str, branch: str, commit: str) -> str:
        """Return who pushed a commit to a branch, or "" when nobody is on record."""
        ref = f"refs/heads/{branch}"
        row = await self._db.row(_SQL["pusher"], app=app, ref=ref, commit=commit)
        return str(row["who"]) if row else ""
