"""What is kept about the copy of a database that stands beside the live one."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pydantic

from shipway.database.backups.moments import Choice, Difference, Lived
from shipway.kit import db, errors

_SQL = db.queries(__package__ or "", "recoveries.sql")
_DIFFERENCES: pydantic.TypeAdapter[tuple[Difference, ...]] = pydantic.TypeAdapter(
    tuple[Difference, ...]
)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """A copy. ``asked`` is the moment as somebody named it, ``newest`` its last transaction,
    ``head`` its schema's."""

    operation: str
    asked: str
    repository: int
    backup: str
    target: datetime.datetime | None
    state: Literal["restoring", "standing", "promoting"]
    newest: datetime.datetime | None
    head: str
    differences: tuple[Difference, ...]
    created: datetime.datetime


class Standing:
    """The rows of ``database.recoveries``. Every write may be repeated."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def claim(self, app: str, environment: str, operation: str, asked: str) -> None:
        """Take the place of the copy. Raises `errors.Conflict` while another stands there."""
        where = {"app": app, "environment": environment}
        await self._db.run(_SQL["claim_recovery"], **where, operation=operation, asked=asked)
        found = await self.find(app, environment)
        if found and found.operation != operation:
            raise errors.Conflict(
                f"A copy of {app} in {environment} ({found.asked}) stands already.",
                fix="`shipway db promote`, `shipway db copy` or `shipway db discard` it first.",
            )

    async def find(self, app: str, environment: str) -> Recovery | None:
        row = await self._db.row(_SQL["recovery"], app=app, environment=environment)
        if row is None:
            return None
        return Recovery(**row | {"differences": _DIFFERENCES.validate_python(row["differences"])})

    async def get(self, app: str, environment: str) -> Recovery:
        """Return the copy that stands at its moment. Raises `errors.NotFound`, `errors.Conflict`."""
        found = await self.find(app, environment)
        if found is None:
            raise errors.NotFound(
                f"There is no copy of {app} in {environment}.",
                fix="`shipway db restore --to …` brings one up.",
            )
        if found.state == "restoring":
            raise errors.Conflict(f"The copy of {app} in {environment} is not there yet.")
        return found

    async def choose(self, app: str, environment: str, choice: Choice) -> None:
        """Record what the copy is brought up from."""
        await self._db.run(
            _SQL["choose_recovery"],
            app=app,
            environment=environment,
            repository=choice.repository,
            backup=choice.backup,
            target=choice.at,
        )

    async def stand(
        self,
        app: str,
        environment: str,
        newest: datetime.datetime | None,
        head: str,
        differences: Sequence[Difference],
    ) -> None:
        """Record that the copy stands at its moment, and in what it differs."""
        told = db.json(_DIFFERENCES.dump_python(tuple(differences), mode="json"))
        await self._db.run(
            _SQL["stand_recovery"],
            app=app,
            environment=environment,
            newest=newest,
            head=head,
            differences=told,
        )

    async def promote(self, app: str, environment: str) -> None:
        """Record that the copy is put in place: from here on there is no way back."""
        await self._db.run(_SQL["promote_recovery"], app=app, environment=environment)

    async def take_back(self, app: str, environment: str) -> None:
        """Record that it could not be put in place."""
        await self._db.run(_SQL["take_back_recovery"], app=app, environment=environment)

    async def forget(self, app: str, environment: str) -> None:
        await self._db.run(_SQL["forget_recovery"], app=app, environment=environment)

    async def lived(self, app: str, environment: str) -> list[Lived]:
        """Return the migrations that have run, the latest first; ``version`` is the release's id."""
        rows = await self._db.rows(_SQL["lived"], app=app, environment=environment)
        return [
            Lived(
                version=row["release"], began=row["began"], before=row["before"], after=row["after"]
            )
            for row in rows
        ]
