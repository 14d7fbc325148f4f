"""What is kept about backups: what was asked for, what each repository holds and can bring back."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from shipway.database.backups.model import (
    Archiver,
    Backup,
    Operation,
    OperationKind,
    Place,
    Reach,
    Result,
)
from shipway.database.backups.recoveries import Standing
from shipway.kit import db, errors

_SQL = db.queries(__package__ or "")
_REACH: pydantic.TypeAdapter[Reach] = pydantic.TypeAdapter(Reach)
_RESULTS: pydantic.TypeAdapter[tuple[Result, ...]] = pydantic.TypeAdapter(tuple[Result, ...])


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What a repository could bring back when it was looked at, and whether its files are intact
    (``intact`` is None until its checksums were verified). ``exported`` is when somebody took its key
    to a safe place."""

    repository: int
    reach: Reach
    good: bool
    sentence: str
    looked: datetime.datetime
    verified: datetime.datetime | None
    intact: bool | None
    complaints: tuple[str, ...]
    exported: datetime.datetime | None


class Records:
    """The rows about backups in ``database``. Every write may be repeated."""

    def __init__(self, database: db.Database) -> None:
        self._db = database
        self.standing = Standing(database)

    # Operations

    async def ask(
        self,
        name: str,
        app: str,
        environment: str,
        kind: OperationKind,
        arguments: Mapping[str, Any],
        by: str,
    ) -> Operation:
        """Record what somebody asks for; the same id again is the same operation."""
        await self._db.run(
            _SQL["ask_operation"],
            id=name,
            app=app,
            environment=environment,
            kind=kind,
            arguments=db.json(dict(arguments)),
            by=by,
        )
        return await self.operation(name)

    async def operation(self, name: str) -> Operation:
        """Return one. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["operation"], id=name)
        if row is None:
            raise errors.NotFound(f"There is no operation {name}.")
        return _operation(row)

    async def operations(self, app: str, environment: str, *, limit: int = 50) -> list[Operation]:
        """Return the newest of an environment, the newest first."""
        rows = await self._db.rows(
            _SQL["operations"], app=app, environment=environment, limit=limit
        )
        return [_operation(row) for row in rows]

    async def waiting(self) -> list[Operation]:
        """Return those that are not over."""
        return [_operation(row) for row in await self._db.rows(_SQL["waiting_operations"])]

    async def begin(self, name: str) -> None:
        await self._db.run(_SQL["begin_operation"], id=name)

    async def say(self, name: str, sentence: str) -> None:
        """Keep how far an operation has come."""
        await self._db.run(_SQL["say_of_operation"], id=name, sentence=sentence)

    async def end(
        self,
        name: str,
        sentence: str,
        results: Sequence[Result] = (),
        *,
        good: bool,
        now: datetime.datetime,
    ) -> bool:
        """Record how it ended; False when it had ended before."""
        state = "succeeded" if good else "failed"
        kept = db.json(_RESULTS.dump_python(tuple(results), mode="json"))
        return bool(
            await self._db.run(
                _SQL["end_operation"],
                id=name,
                state=state,
                sentence=sentence,
                results=kept,
                now=now,
            )
        )

    async def since(self, app: str, environment: str) -> datetime.datetime | None:
        """Return when an environment began to be backed up."""
        row = await self._db.row(_SQL["first_operation"], app=app, environment=environment)
        return row["since"] if row else None

    # What there is

    async def keep_backups(
        self, app: str, environment: str, repository: int, backups: Sequence[Backup]
    ) -> None:
        """Record what a repository holds now."""
        where = {"app": app, "environment": environment, "repository": repository}
        async with self._db.transaction():
            await self._db.run(_SQL["forget_backups"], **where)
            for one in backups:
                await self._db.run(_SQL["keep_backup"], **where, **dataclasses.asdict(one))

    async def backups(self, app: str, environment: str) -> dict[int, list[Backup]]:
        """Return what each repository held, the oldest first."""
        found: dict[int, list[Backup]] = {}
        for row in await self._db.rows(_SQL["backups"], app=app, environment=environment):
            found.setdefault(row.pop("repository"), []).append(Backup(**row))
        return found

    async def keep_reach(
        self,
        app: str,
        environment: str,
        repository: int,
        reach: Reach,
        judged: tuple[bool, str],
        *,
        now: datetime.datetime,
    ) -> None:
        """Record what a repository can bring back."""
        good, sentence = judged
        await self._db.run(
            _SQL["keep_reach"],
            app=app,
            environment=environment,
            repository=repository,
            reach=db.json(_REACH.dump_python(reach, mode="json")),
            good=good,
            sentence=sentence,
            now=now,
        )

    async def keep_verification(
        self,
        app: str,
        environment: str,
        repository: int,
        complaints: Sequence[str],
        *,
        now: datetime.datetime,
    ) -> None:
        """Record what the checksums of a repository say."""
        await self._db.run(
            _SQL["keep_verification"],
            app=app,
            environment=environment,
            repository=repository,
            intact=not complaints,
            complaints=db.json(list(complaints)),
            now=now,
        )

    async def archives(self, app: str, environment: str) -> list[Archive]:
        """Return what each repository could bring back when it was looked at."""
        rows = await self._db.rows(_SQL["archives"], app=app, environment=environment)
        return [
            Archive(
                **row
                | {
                    "reach": _REACH.validate_python(row["reach"]),
                    "complaints": tuple(row["complaints"]),
                }
            )
            for row in rows
        ]

    async def mark_exported(self, app: str, environment: str, *, now: datetime.datetime) -> None:
        """Record that somebody has the keys of an environment's repositories."""
        await self._db.run(_SQL["mark_exported"], app=app, environment=environment, now=now)

    async def keep_archiver(
        self, app: str, environment: str, told: Archiver, *, now: datetime.datetime
    ) -> None:
        """Record what the live server told of its archiving."""
        values = dataclasses.asdict(told)
        await self._db.run(
            _SQL["keep_archiver"], app=app, environment=environment, now=now, **values
        )

    async def archiver(self, app: str, environment: str) -> Archiver | None:
        row = await self._db.row(_SQL["archiver"], app=app, environment=environment)
        return Archiver(**row) if row else None

    # The bucket besides the folder

    async def set_place(self, app: str, environment: str, place: Place) -> None:
        await self._db.run(
            _SQL["set_place"], app=app, environment=environment, **dataclasses.asdict(place)
        )

    async def place(self, app: str, environment: str) -> Place | None:
        row = await self._db.row(_SQL["place"], app=app, environment=environment)
        return Place(**row | {"secret": bytes(row["secret"])}) if row else None


def _operation(row: db.Row) -> Operation:
    return Operation(**row | {"results": _RESULTS.validate_python(row["results"])})
