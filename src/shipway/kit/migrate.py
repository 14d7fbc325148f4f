"""Brings Shipway's own database to the shape that this version needs.

A migration is a file ``NNNN_what.sql`` in ``src/shipway/migrations``. Each runs once, in the order
of their numbers, in a transaction of its own. What has run stays in the table ``kit.migrations``
with a checksum, so that history which was edited later is refused rather than guessed at.
No schema is called ``shipway``: as it is the role's name, unqualified tables would land there.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
import psycopg.rows

from shipway.kit import db, errors

LOCK = 0x5348_4950
"""The advisory lock that keeps two migrators apart."""

PATIENCE = "120s"
"""How long a migrator waits for another one, and for a lock on a table."""

_FILE = re.compile(r"(?P<number>\d{4})_\w+\.sql")


@dataclass(frozen=True)
class Migration:
    """One file. ``name`` is the file's name without ``.sql``."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(url: str, migrations: Sequence[Migration] | None = None) -> tuple[str, ...]:
    """Apply what is missing and return the names of what was applied. May be repeated.

    Raises `errors.Refused` when a file that has run was edited or removed, or when a new one
    has a lower number than one that has run; `errors.Failed` when a file does not run, which
    leaves the database as it was before that file.
    """
    known = shipped() if migrations is None else migrations
    try:
        connection = await _connect(url)
    except psycopg.OperationalError as error:
        raise errors.Unavailable(f"Shipway's database does not answer: {error}") from error
    async with connection:
        await connection.execute(f"set lock_timeout = '{PATIENCE}'".encode())
        await connection.execute("select pg_advisory_lock(%s)", (LOCK,))
        await _make_table(connection)
        missing = pending(known, await _applied(connection))
        for migration in missing:
            await _apply(connection, migration)
    return tuple(migration.name for migration in missing)


def shipped() -> tuple[Migration, ...]:
    """Return the migrations of this Shipway, in order."""
    folder = importlib.resources.files("shipway").joinpath("migrations")
    found = [
        Migration(int(match["number"]), file.name.removesuffix(".sql"), file.read_text())
        for file in folder.iterdir()
        if (match := _FILE.fullmatch(file.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.name))


def pending(known: Iterable[Migration], applied: dict[str, str]) -> tuple[Migration, ...]:
    """Return the migrations that have not run. ``applied`` maps names to checksums.

    Raises `errors.Refused` with every reason why the history does not fit.
    """
    ordered = sorted(known, key=lambda migration: migration.name)
    names = {migration.name for migration in ordered}
    newest = max(applied, default="")
    reasons = [
        f"Migration {name} has run on this database, but this Shipway does not have it"
        for name in sorted(applied)
        if name not in names
    ]
    for migration in ordered:
        checksum = applied.get(migration.name)
        if checksum is None and migration.name < newest:
            reasons.append(f"Migration {migration.name} is new, but {newest} has already run")
        elif checksum is not None and checksum != migration.checksum:
            reasons.append(f"Migration {migration.name} was edited after it had run")
    if reasons:
        raise errors.Refused(*reasons, fix="Run the version of Shipway that made this database.")
    return tuple(migration for migration in ordered if migration.name not in applied)


async def _connect(url: str) -> db.Connection:
    return await psycopg.AsyncConnection[db.Row].connect(
        url,
        autocommit=True,
        connect_timeout=10,
        application_name="shipway migrate",
        row_factory=psycopg.rows.dict_row,
    )


async def _make_table(connection: db.Connection) -> None:
    """Asks first: `create if not exists` would send a notice each time."""
    cursor = await connection.execute("select to_regclass('kit.migrations') as found")
    row = await cursor.fetchone()
    if row and row["found"]:
        return
    async with connection.transaction():
        await connection.execute("create schema kit")
        await connection.execute(
            "create table kit.migrations ("
            " name text primary key, checksum text not null,"
            " applied_at timestamptz not null default now())"
        )


async def _applied(connection: db.Connection) -> dict[str, str]:
    cursor = await connection.execute("select name, checksum from kit.migrations")
    return {row["name"]: row["checksum"] for row in await cursor.fetchall()}


async def _apply(connection: db.Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql.encode())
            await connection.execute(
                "insert into kit.migrations (name, checksum) values (%s, %s)",
                (migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        raise errors.Failed(f"Migration {migration.name} did not run: {error}") from error
