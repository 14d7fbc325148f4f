"""Rows of one table, from one database into another of the same app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from shipway.kit import db

_INCOMING = sql.Identifier("shipway_incoming")


async def transfer(
    copy: db.Connection,
    live: db.Connection,
    where: Mapping[str, str],
    columns: Sequence[str],
    *,
    replace: bool,
) -> int:
    """Copy the rows of a table (``schema``, ``table``) and return how many were written.

    They arrive in a table of their own first, so that the live one is locked for as long as the
    last step takes. Raises `psycopg.Error`, and then nothing was changed.
    """
    table = sql.Identifier(where["schema"], where["table"])
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    async with live.transaction():
        await live.execute("set local statement_timeout = 0")
        await live.execute(
            sql.SQL(
                "create temporary table {} on commit drop as select {} from {} with no data"
            ).format(_INCOMING, names, table)
        )
        await _stream(copy, live, table, names)
        if replace:
            await live.execute(sql.SQL("delete from {}").format(table))
        written = await live.execute(
            sql.SQL(
                "insert into {} ({}) overriding system value select {} from {}"
                " on conflict do nothing"
            ).format(table, names, names, _INCOMING)
        )
        return written.rowcount


async def _stream(
    copy: db.Connection, live: db.Connection, table: sql.Identifier, names: sql.Composed
) -> None:
    read = sql.SQL("copy (select {} from {}) to stdout").format(names, table)
    write = sql.SQL("copy {} ({}) from stdin").format(_INCOMING, names)
    async with (
        copy.cursor() as source,
        live.cursor() as target,
        source.copy(read) as out,
        target.copy(write) as into,
    ):
        async for piece in out:
            await into.write(piece)
