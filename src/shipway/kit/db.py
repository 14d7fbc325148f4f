"""The one door to PostgreSQL: queries live in `.sql` files, rows come back as dictionaries."""

from __future__ import annotations

import contextlib
import contextvars
import importlib.resources
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg
import psycopg.rows
import psycopg.sql
import psycopg_pool
from psycopg.types.json import Jsonb

from shipway.kit import errors

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]

_NAMED = re.compile(r"^-- (?P<name>\w+) --\n", re.MULTILINE)


def queries(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """Return the named queries of a package.

    In the file each begins with a line ``-- name --``; the comment lines below say what it does.
    """
    text = importlib.resources.files(package).joinpath(file).read_text()
    parts = _NAMED.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def json(value: Any) -> Jsonb:
    """Wrap a value for a ``jsonb`` column."""
    return Jsonb(value)


class Database:
    """Shipway's own database: a pool of connections, opened once by each process.

    Inside ``transaction()`` every call of the same task uses that one connection, so that a
    context need not know whether its caller has begun one.
    """

    def __init__(self, url: str, *, name: str, size: int = 8, statement_seconds: float = 0) -> None:
        """A statement that takes longer than ``statement_seconds``, if given, is ended."""
        self.url = url
        self._pool = psycopg_pool.AsyncConnectionPool(
            url,
            connection_class=psycopg.AsyncConnection[Row],
            kwargs={
                "row_factory": psycopg.rows.dict_row,
                "autocommit": True,
                "application_name": f"shipway {name}",
                "connect_timeout": 10,
                "options": f"-c statement_timeout={int(statement_seconds * 1000)}",
            },
            min_size=1,
            max_size=size,
            timeout=15,
            open=False,
            check=psycopg_pool.AsyncConnectionPool.check_connection,
        )
        self._current: contextvars.ContextVar[Connection | None] = contextvars.ContextVar(
            "current", default=None
        )

    async def open(self) -> None:
        """Connect. Raises `errors.Unavailable` when the database does not answer."""
        try:
            await self._pool.open(wait=True, timeout=30)
        except psycopg_pool.PoolTimeout as error:
            raise errors.Unavailable(
                "Shipway's database does not answer.", fix="See `shipway status`."
            ) from error

    async def close(self) -> None:
        await self._pool.close()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Do several things or none. Nested calls become savepoints."""
        async with self._connection() as connection, connection.transaction():
            token = self._current.set(connection)
            try:
                yield connection
            finally:
                self._current.reset(token)

    async def rows(self, sql: str, **values: Any) -> list[Row]:
        """Run a query and return all its rows."""
        async with self._connection() as connection:
            cursor = await connection.execute(sql, values)
            return await cursor.fetchall() if cursor.description else []

    async def row(self, sql: str, **values: Any) -> Row | None:
        """Run a query and return its first row, or None."""
        found = await self.rows(sql, **values)
        return found[0] if found else None

    async def run(self, sql: str, **values: Any) -> int:
        """Run a statement and return the number of rows that it touched."""
        async with self._connection() as connection:
            cursor = await connection.execute(sql, values)
            return cursor.rowcount

    async def listen(self, *channels: str) -> AsyncIterator[tuple[str, str]]:
        """Tell each NOTIFY on the channels as (channel, payload), on a connection of its own.

        The first, ("", ""), says that listening has begun. Raises `errors.Unavailable` when the
        connection is lost; what was sent meanwhile is lost too, so look again after reconnecting.
        """
        try:
            connection = await psycopg.AsyncConnection.connect(
                self.url, autocommit=True, connect_timeout=10, application_name="shipway listen"
            )
            async with connection:
                for channel in channels:
                    await connection.execute(
                        psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel))
                    )
                yield "", ""
                async for notice in connection.notifies():
                    yield notice.channel, notice.payload
        except psycopg.OperationalError as error:
            raise errors.Unavailable(f"Shipway's database does not answer: {error}") from error

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if (current := self._current.get()) is not None:
            yield current
            return
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.errors.QueryCanceled as error:
            raise errors.Unavailable(
                "Shipway's database takes too long to answer.",
                fix="Try again soon.",
            ) from error
        except (psycopg_pool.PoolTimeout, psycopg.OperationalError) as error:
            raise errors.Unavailable(f"Shipway's database does not answer: {error}") from error
