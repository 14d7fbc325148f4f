"""Looks at Shipway's own database. Reads across contexts, and changes nothing."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import psycopg

from shipway.database import find
from shipway.doctor.judging import records
from shipway.kit import clock, command, db, durable, errors, migrate
from shipway.runtime.model import Kind, Owner

_SQL = db.queries("shipway.doctor")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the database told."""

    skew: float
    """How far the database's clock is from ours, in seconds."""
    ahead: float
    missing: tuple[str, ...]
    refusal: str
    unfinished: tuple[records.Unfinished, ...]
    stranded: tuple[tuple[str, str], ...]
    given_up: int
    last_error: str
    active_runs: frozenset[str]
    apps: frozenset[str]


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[db.Database]:
    """Open the database for a moment. Raises `errors.Unavailable` when it does not answer.

    A pool would try again for half a minute.
    """
    try:
        await (await psycopg.AsyncConnection.connect(url, connect_timeout=5)).close()
    except psycopg.OperationalError as error:
        raise errors.Unavailable(f"No answer: {error}", fix="Run `shipway up`.") from error
    database = db.Database(url, name="doctor", size=1)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def silent(home: pathlib.Path, owners: Iterable[Owner]) -> list[str]:
    """Return the databases, of Shipway and of apps, that answer nobody at their socket."""
    postgres = await find.find()
    found = []
    for owner in owners:
        if owner.kind in {Kind.STORE, Kind.CLUSTER}:
            words = (postgres.program("pg_isready"), "-q", "-h", owner.sockets(str(home)))
            asked = command.Command(argv=words, env=command.base_environment(), timeout=10)
            if (await command.run(asked, check=False)).status:
                found.append(owner.slug)
    return found


async def missing(database: db.Database) -> tuple[tuple[str, ...], str]:
    """Return Shipway's own migrations that have not run, and why the history does not fit."""
    applied = {row["name"]: row["checksum"] for row in await database.rows(_SQL["applied"])}
    try:
        pending = migrate.pending(migrate.shipped(), applied)
    except errors.Refused as refusal:
        return (), str(refusal)
    return tuple(one.name for one in pending), ""


async def look(database: db.Database) -> Seen:
    """Ask everything that is asked of the records."""
    skew = ((await _one(database, "now"))["now"] - clock.now()).total_seconds()
    not_run, refusal = await missing(database)
    ahead = (await _one(database, "newest"))["ahead"]
    given_up = await _one(database, "given_up")
    known = (await _one(database, "has_workflows"))["found"]
    unfinished = await database.rows(_SQL["unfinished"]) if known else []
    stranded = await database.rows(_SQL["stranded"], version=durable.VERSION) if known else []
    return Seen(
        skew=skew,
        ahead=ahead or 0.0,
        missing=not_run,
        refusal=refusal,
        unfinished=tuple(records.Unfinished(**row) for row in unfinished),
        stranded=tuple((row["name"], row["id"]) for row in stranded),
        given_up=given_up["given_up"],
        last_error=given_up["last_error"],
        active_runs=frozenset(row["id"] for row in await database.rows(_SQL["active_runs"])),
        apps=frozenset(row["name"] for row in await database.rows(_SQL["apps"])),
    )


async def _one(database: db.Database, query: str) -> db.Row:
    row = await database.row(_SQL[query])
    assert row
    return row
