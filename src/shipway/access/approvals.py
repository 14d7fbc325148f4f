"""Approvals: each bound to one release and one environment."""

from __future__ import annotations

from collections.abc import Collection

from shipway.access.model import Approval
from shipway.kit import db

_SQL = db.queries(__package__)


class Approvals:
    """Who said yes to what. A yes is kept for good; whether it counts is judged when asked."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def give(
        self,
        release: str,
        environment: str,
        person: str,
        reason: str = "",
        *,
        emergency: bool = False,
    ) -> None:
        """Record a yes. Giving it again adds a reason to a yes that had none, or makes it one
        of an emergency."""
        await self._db.run(
            _SQL["approve"],
            release=release,
            environment=environment,
            person=person,
            reason=reason.strip(),
            emergency=emergency,
        )

    async def of(self, release: str, environment: str) -> tuple[Approval, ...]:
        """Return the approvals, the oldest first."""
        rows = await self._db.rows(_SQL["approvals"], release=release, environment=environment)
        return tuple(Approval(**row) for row in rows)

    async def approved(self, releases: Collection[str]) -> frozenset[str]:
        """Return those of these releases that somebody has said yes to."""
        rows = await self._db.rows(_SQL["approved_releases"], releases=list(releases))
        return frozenset(row["release"] for row in rows)

    async def of_release(self, release: str) -> dict[str, tuple[Approval, ...]]:
        """Return the approvals of a release by environment."""
        found: dict[str, tuple[Approval, ...]] = {}
        for row in await self._db.rows(_SQL["approvals_of_release"], release=release):
            environment = row.pop("environment")
            found[environment] = (*found.get(environment, ()), Approval(**row))
        return found
