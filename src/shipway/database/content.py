"""Sums up what is in a copy, so that two moments of it can be compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg.sql

from shipway.database.rehearsal import Content
from shipway.kit import db

_SQL = db.queries(__package__ or "", "content.sql")
_OF_TOOLS = re.compile(
    r"(?:.*_)?(?:alembic_version|schema_migrations|\w*migrations?(?:_lock)?|applied|pgmigrations"
    r"|SequelizeMeta|flyway_\w+|atlas_\w+)$"
)
"""Tables in which tools note what they did, and when."""


async def sum_up(connection: db.Connection, *, over: Content | None = None) -> Content:
    """Sum up the database; with ``over`` only the columns that were there then."""
    shape = await _of_the_app(connection, "shape")
    columns = await _of_the_app(connection, "columns")
    known = set(over.columns) if over else None
    tables: dict[tuple[str, str], list[str]] = {}
    for row in columns:
        if known is None or _name(row) in known:
            tables.setdefault((row["schema"], row["table"]), []).append(row["column"])
    sums = []
    for (schema, table), names in sorted(tables.items()):
        rows, total = await _sum(connection, schema, table, names)
        sums.append((f"{schema}.{table}".removeprefix("public."), rows, total))
    return Content(
        columns=tuple(_name(row) for row in columns),
        shape=frozenset(row["line"] for row in shape),
        sums=tuple(sums),
    )


def _name(row: db.Row) -> str:
    return f"{row['schema']}.{row['table']}.{row['column']}".removeprefix("public.")


async def _sum(
    connection: db.Connection, schema: str, table: str, columns: Sequence[str]
) -> tuple[int, str]:
    query = psycopg.sql.SQL(_SQL["sum"]).format(
        columns=psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns)),
        table=psycopg.sql.Identifier(schema, table),
    )
    row = await (await connection.execute(query)).fetchone()
    assert row
    return int(row["rows"]), str(row["total"])


async def _of_the_app(connection: db.Connection, query: str) -> list[db.Row]:
    """Return the rows about tables that are the app's own, not its migration tool's."""
    rows = await (await connection.execute(_SQL[query])).fetchall()
    return [row for row in rows if not _OF_TOOLS.match(row["table"])]
