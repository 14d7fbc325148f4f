"""Runs a migration on a copy of the live database, with a load like the app's, and watches it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import psycopg.rows
import psycopg.sql

from shipway.database import (
    clusters,
    content,
    lint,
    measuring,
    model,
    rehearsal,
    sql,
    squawk,
    tool,
    watching,
)
from shipway.database.copies import Copies, Copy
from shipway.database.load import Load, forget_statements, statements_of
from shipway.database.measuring import Measured, Wait
from shipway.database.model import Access, Logged, Migration, Patience
from shipway.database.rehearsal import Content, Reversal, Seen
from shipway.database.tool import OnLine
from shipway.kit import db, errors
from shipway.runtime.port import Keeper

LOOK_SECONDS = 0.02
"""How often is looked at who waits; how long they have waited by then is exact."""

LOOKS_PER_SIZE = 20
PRISTINE = "shipway_pristine"

_SQL = db.queries(__package__ or "", "rehearsing.sql")

Prepare = Callable[[Access], Awaitable[Migration]]
"""Makes a migration for the database at these addresses."""


@dataclass(kw_only=True)
class _Seen:
    """What is seen while a migration runs."""

    waits: dict[tuple[int, float], Wait] = field(default_factory=dict)
    largest: int = 0


class Rehearsals:
    """Rehearses the migrations of all apps."""

    def __init__(
        self,
        keeper: Keeper,
        of: clusters.Clusters,
        copies: Copies,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._clusters = of
        self._copies = copies
        self._tool = tool.Tool(keeper, patience or Patience(), name="rehearse")

    async def rehearse(
        self,
        app: str,
        environment: str,
        prepare: Prepare,
        *,
        down: tuple[str, ...] = (),
        on_line: OnLine | None = None,
    ) -> Seen:
        """Run a migration on a copy and return what was seen. The live database is only read.

        ``down`` takes one release's migrations back; with it, up, down and up again are compared.
        Raises as `Copies.lend`.
        """
        live = await self._clusters.access(app, environment)
        statements = await statements_of(live, app)
        async with self._copies.lend(app, environment) as copy:
            await keep_pristine(copy)
            return await self.on(copy, prepare, statements=statements, down=down, on_line=on_line)

    async def forget_statements(self, app: str, environment: str) -> None:
        """Forget what the app asked so far, once a release that asked it runs no more."""
        await forget_statements(await self._clusters.access(app, environment), app)

    async def on(
        self,
        copy: Copy,
        prepare: Prepare,
        *,
        statements: Sequence[str],
        down: tuple[str, ...] = (),
        on_line: OnLine | None = None,
    ) -> Seen:
        """Rehearse on a copy that is kept pristine: each time begins with what came."""
        await _begin_anew(copy)
        migration = await prepare(copy.access)
        begun = time.monotonic()
        load = await Load.learn(copy, statements)
        before = await self._tool.head(migration)
        async with _connected(copy.access.admin_url) as admin:
            start = await content.sum_up(admin) if down else None
            seen = await self._up(copy, admin, migration, load, on_line)
            told: dict[str, Any] = {
                "before": before,
                "copy": copy.sentence,
                "load": load.sentence,
                "knows_statements": load.knows_statements,
            }
            if not seen.failure:
                told["after"] = await self._tool.head(migration)
                told["broken"] = await load.broken()
            if start and not seen.failure and told["after"] != before:
                told["reversal"] = await self._round_trip(admin, migration, down, before, start)
        return dataclasses.replace(seen, **told, seconds=time.monotonic() - begun)

    async def _up(
        self,
        copy: Copy,
        admin: db.Connection,
        migration: Migration,
        load: Load,
        on_line: OnLine | None,
    ) -> Seen:
        existing = {row["name"] for row in await _rows(admin, "tables")}
        size = (await _rows(admin, "size"))[0]["bytes"]
        await _forget_statistics(copy)
        watch = watching.Watch(admin, migration.tag, sees_log=True)
        await admin.execute(_SQL["watch_changes"].encode())
        since, failure = await watch.position(), ""
        async with load.running(), _looking(copy) as looked:
            try:
                await self._tool.run(migration, migration.argv, on_line)
            except tool.ToolFailed as error:
                failure = _failure(await watch.logged(since), error)
        log = await watch.logged(since)
        measured = measuring.measure(log, tuple(looked.waits.values()), existing)
        wal = await _wal(copy)
        return Seen(
            copy="",
            load="",
            measured=measuring.with_wal(measured, wal),
            findings=await _lint(measured, existing),
            wal_bytes=sum(wal.values()),
            disk_bytes=max(0, looked.largest - size),
            failure=failure,
        )

    async def _round_trip(
        self,
        admin: db.Connection,
        migration: Migration,
        down: tuple[str, ...],
        before: str,
        start: Content,
    ) -> Reversal:
        """Go down and up again, and compare. A down that fails proves that there is no way back."""
        up = await content.sum_up(admin, over=start)
        argv = tuple(word.replace("{to}", before) for word in down)
        try:
            await self._tool.run(migration, argv)
            downed = await content.sum_up(admin)
            if (head := await self._tool.head(migration)) != before:
                sentence = f"Down leads to {head or 'nothing'} instead of {before or 'nothing'}."
                return Reversal(proven=False, sentence=sentence)
            await self._tool.run(migration, migration.argv)
        except tool.ToolFailed as error:
            said = " ".join(error.output[-2:])
            return Reversal(proven=False, sentence=f"Down and up again fails: {error.what}. {said}")
        return rehearsal.reversal(start, up, downed, await content.sum_up(admin, over=start))


def _failure(log: Sequence[Logged], error: tool.ToolFailed) -> str:
    logged = model.last_error(log)
    why = logged.message if logged else " ".join([error.what, *error.output[-3:]])
    return f"On a copy it failed{model.failed_at(log)}: {why.rstrip('.')}."


async def _lint(measured: Sequence[Measured], existing: set[str]) -> tuple[lint.Finding, ...]:
    texts = [one.statement for one in measured]
    return lint.findings(
        texts, await squawk.look(texts), lambda table: measuring.short(table) in existing
    )


async def keep_pristine(copy: Copy) -> None:
    """Put a copy by as it came: each rehearsal on it begins with that."""
    await _administer(copy, "keep_pristine")


async def _begin_anew(copy: Copy) -> None:
    for query in ("drop_work_copy", "work_copy", "let_in", "let_server_in"):
        await _administer(copy, query)


async def _administer(copy: Copy, query: str) -> None:
    names = {
        "database": psycopg.sql.Identifier(copy.database),
        "pristine": psycopg.sql.Identifier(PRISTINE),
    }
    async with _connected(copy.access.admin_url, database="postgres") as connection:
        await connection.execute(psycopg.sql.SQL(_SQL[query]).format(**names))


async def _forget_statistics(copy: Copy) -> None:
    with contextlib.suppress(psycopg.Error):  # a PostgreSQL without that extension
        async with _connected(copy.access.admin_url, database="postgres") as connection:
            await connection.execute(_SQL["forget_statistics"])


async def _wal(copy: Copy) -> dict[str, int]:
    found: dict[str, int] = {}
    with contextlib.suppress(psycopg.Error):
        async with _connected(copy.access.admin_url, database="postgres") as connection:
            for row in await _rows(connection, "wal"):
                pattern = sql.pattern(row["query"])
                found[pattern] = found.get(pattern, 0) + row["bytes"]
    return found


@contextlib.asynccontextmanager
async def _looking(copy: Copy) -> AsyncIterator[_Seen]:
    """Look again and again at who waits, and how large the copy is, until the block ends."""
    seen = _Seen()
    async with _connected(copy.access.admin_url) as connection:
        task = asyncio.create_task(_look(connection, seen))
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _look(connection: db.Connection, seen: _Seen) -> None:
    looks = 0
    while True:
        for row in await _rows(connection, "waits"):
            wait = Wait(row["query"], row["table"], row["since"], row["now"] - row["since"])
            seen.waits[row["pid"], row["since"]] = wait
        if looks % LOOKS_PER_SIZE == 0:
            size = (await _rows(connection, "size"))[0]["bytes"]
            seen.largest = max(seen.largest, size)
        looks += 1
        await asyncio.sleep(LOOK_SECONDS)  # locks are sampled: PostgreSQL tells of none


@contextlib.asynccontextmanager
async def _connected(url: str, *, database: str = "") -> AsyncIterator[db.Connection]:
    address = psycopg.conninfo.make_conninfo(url, dbname=database) if database else url
    try:
        async with await psycopg.AsyncConnection[db.Row].connect(
            address,
            autocommit=True,
            connect_timeout=10,
            application_name="shipway beside a rehearsal",
            row_factory=psycopg.rows.dict_row,
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise errors.Unavailable(f"The copy does not answer: {error}") from error


async def _rows(connection: db.Connection, query: str) -> list[db.Row]:
    return await (await connection.execute(_SQL[query])).fetchall()
