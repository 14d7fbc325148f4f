"""What is to be told, kept with what happened: written in the same transaction or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipway.health.model import Delivery
from shipway.kit import db, ids

CHANNEL = "shipway_outbox"
"""The PostgreSQL channel that is notified when there is something to deliver."""

_SQL = db.queries(__package__)


class Outbox:
    """Notifications that wait for the `Courier`."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def put(
        self,
        event: str,
        *,
        app: str,
        subject: str,
        sentence: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell every channel of the app, in the caller's transaction where there is one.

        An event happens to a subject once: the same again changes nothing.
        """
        await self._db.rows(
            _SQL["put"],
            id=ids.new("msg"),
            key=f"{subject}:{event}",
            event=event,
            app=app,
            subject=subject,
            sentence=sentence,
            evidence=db.json(dict(evidence or {})),
        )

    async def deliveries(
        self, app: str, *, limit: int = 50, before: str | None = None
    ) -> tuple[Delivery, ...]:
        """Return what was sent or is to be sent, the newest first."""
        rows = await self._db.rows(_SQL["deliveries"], app=app, limit=limit, before=before)
        return tuple(Delivery(**row) for row in rows)
