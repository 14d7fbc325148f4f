"""The connection that stands beside a migration: it keeps others away, and sees what happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import psycopg.rows

from shipway.database import clusters, model
from shipway.database.model import Logged, Migration
from shipway.kit import db, errors

LOCK = 0x5348_4950_4442
"""The advisory lock of migrators, on the app's own database."""

MOST_LOG_BYTES = 32 * 1024**2
"""Of a longer log only the beginning is read."""

MARKER_SECONDS = 5
LONGEST_NAME = 63
"""Of a restore point (PostgreSQL documentation, "Backup Control Functions")."""

Position = dict[str, Any]
"""A place in the server's log: ``file`` and ``offset``."""

_SQL = db.queries(__package__ or "")


class Watch:
    """What can be asked while a migration runs. Without ``sees_log`` (a provider's database, where
    we are no superuser) the log is empty."""

    def __init__(self, connection: db.Connection, tag: str, *, sees_log: bool) -> None:
        self._connection = connection
        self._tag = tag
        self._sees_log = sees_log

    async def end_sessions(self) -> int:
        """End the sessions of this environment's migrations and return how many there were."""
        role = clusters.OWNER_ROLE if self._sees_log else ""
        return len(await self._rows("end_sessions", tag=self._tag, role=role))

    async def position(self) -> Position | None:
        """Return where the log ends now."""
        if not self._sees_log:
            return None
        found = await self._rows("log_position")
        return dict(found[0]) if found else None

    async def logged(self, since: Position | None) -> tuple[Logged, ...]:
        """Return what the owner's sessions have put into the log since then."""
        if since is None:
            return ()
        text = await self._read_to_now(since)
        records = (_record(line) for line in text.splitlines())
        entries = (model.logged(record) for record in records if record)
        return tuple(entry for entry in entries if entry.user == clusters.OWNER_ROLE)

    async def holders(self, log: Sequence[Logged]) -> tuple[str, ...]:
        """Describe the sessions that held a lock which the migration waited for."""
        found = await self._rows("sessions", pids=list(model.holders(log)))
        return tuple(
            f"a session of role {row['role']} (application {row['application'] or 'unnamed'!r},"
            f" {row['state']}) has held it for {row['seconds']:.0f} s"
            for row in found
        )

    async def invalid_indexes(self) -> tuple[str, ...]:
        """Return the indexes that were begun concurrently and never finished."""
        return tuple(row["name"] for row in await self._rows("invalid_indexes"))

    async def remove_unfinished(self, but: Sequence[str]) -> tuple[str, ...]:
        """Remove the unfinished indexes but these, which keep space and slow down every write.

        Returns those that could not be removed: somebody is at their table.
        """
        for name in set(await self.invalid_indexes()) - set(but):
            with contextlib.suppress(psycopg.errors.LockNotAvailable):
                await self._connection.execute(f"drop index concurrently if exists {name}".encode())
        return tuple(sorted(set(await self.invalid_indexes()) - set(but)))

    async def mark_restore_point(self, name: str) -> None:
        """Give this moment a name, to which a backup can be restored; a provider has his own way."""
        if self._sees_log:
            await self._rows("mark_restore_point", name=name[:LONGEST_NAME])

    async def _read_to_now(self, since: Position) -> str:
        """Read until a marker that we log ourselves: what was logged before it is then there."""
        marker = f"shipway-marker-{secrets.token_hex(8)}"
        await self._connection.execute(f"do $$ begin raise log '{marker}'; end $$".encode())
        text = await self._read(since)
        with contextlib.suppress(TimeoutError):  # less evidence is no reason to fail
            async with asyncio.timeout(MARKER_SECONDS):
                while marker not in text and len(text) < MOST_LOG_BYTES:
                    await asyncio.sleep(0.02)
                    text = await self._read(since)
        return text

    async def _read(self, since: Position) -> str:
        parts = [(since["file"], since["offset"])]
        current = (await self._rows("log_file"))[0]["file"]
        if current and current != since["file"]:
            parts.append((current, 0))
        read = [
            row["part"]
            for file, offset in parts
            for row in await self._rows("log_part", file=file, offset=offset, length=MOST_LOG_BYTES)
        ]
        return b"".join(read).decode(errors="replace")

    async def _rows(self, query: str, **values: Any) -> list[db.Row]:
        cursor = await self._connection.execute(_SQL[query], values)
        return await cursor.fetchall()


@contextlib.asynccontextmanager
async def alone(migration: Migration, admin_url: str, seconds: float) -> AsyncIterator[Watch]:
    """Hold the migrators' lock of this database until the end, on a connection of its own.

    Raises `errors.Conflict` when another migrator has held it for so many seconds, and
    `errors.Unavailable` when the database does not answer, or no longer.
    """
    try:
        async with await _connect(admin_url or migration.owner_url, migration) as connection:
            await _take_turn(connection, migration, seconds)
            yield Watch(connection, migration.tag, sees_log=bool(admin_url))
    except psycopg.OperationalError as error:
        raise errors.Unavailable(
            f"The database of {migration.app} in {migration.environment} does not answer: {error}"
        ) from error


async def _connect(url: str, migration: Migration) -> db.Connection:
    return await psycopg.AsyncConnection[db.Row].connect(
        url,
        autocommit=True,
        connect_timeout=10,
        application_name=f"shipway beside {migration.app} {migration.environment}",
        row_factory=psycopg.rows.dict_row,
    )


async def _take_turn(connection: db.Connection, migration: Migration, seconds: float) -> None:
    for setting in (f"lock_timeout = '{seconds}s'", "statement_timeout = 0"):
        await connection.execute(f"set {setting}".encode())
    try:
        await connection.execute(_SQL["take_turn"], {"lock": LOCK})
    except psycopg.errors.LockNotAvailable as error:
        raise errors.Conflict(
            f"Another migration of {migration.app} in {migration.environment} is running.",
            fix="Wait until it has ended.",
        ) from error


def _record(line: str) -> dict[str, Any] | None:
    """Read a line of the log; the first and last one may be cut."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
