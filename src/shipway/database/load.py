"""A load like the app's own: its statements, run against a copy while a migration runs there.

Each runs in a transaction that is rolled back: it takes its locks and waits for those of others,
and leaves no row behind. What is not known of the app is made up from its tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
import psycopg.rows
import psycopg.sql

from shipway.database import model
from shipway.database.copies import Copy
from shipway.database.model import Access
from shipway.database.rehearsal import Broken
from shipway.kit import db

SESSIONS = 3
PAUSE_SECONDS = 0.01
MOST_STATEMENTS = 60
MOST_TABLES = 40
TRY_SECONDS = 2.0
"""What takes longer is no statement to ask again and again."""

_SQL = db.queries(__package__ or "", "load.sql")
_PREPARABLE = re.compile(r"\s*(select|insert|update|delete|with|merge|values)\b", re.IGNORECASE)
_COMPARED = re.compile(
    r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[a-z_]\w*))\s*'
    r"(?:=|<>|!=|<=|>=|<|>|~~\*?|\blike\b|\bilike\b|\bin\s*\(|=\s*any\s*\(\s*\(?)\s*"
    r"(?P<numbers>\$\d+(?:\s*,\s*\$\d+)*)",
    re.IGNORECASE,
)
_INSERTED = re.compile(
    r"insert\s+into\s+[^(]+\((?P<columns>[^)]*)\)[^(]*values\s*\((?P<values>[^)]*)\)", re.IGNORECASE
)
_TABLES = re.compile(
    r'\b(?:from|join|into|update)\s+(?:only\s+)?(?P<table>[a-z_"][\w$".]*)', re.IGNORECASE
)


def places(statement: str) -> dict[int, str]:
    """Return the column that each parameter of a statement is about, where that can be seen."""
    found: dict[int, str] = {}
    for match in _COMPARED.finditer(statement):
        for number in re.findall(r"\d+", match["numbers"]):
            found[int(number)] = match["quoted"] or match["plain"].lower()
    if inserted := _INSERTED.search(statement):
        columns = [name.strip().strip('"') for name in inserted["columns"].split(",")]
        for column, value in zip(columns, inserted["values"].split(","), strict=False):
            if number := re.fullmatch(r"\s*\$(\d+)\s*(?:::.*)?", value):
                found[int(number[1])] = column
    return found


def tables(statement: str) -> tuple[str, ...]:
    """Return the tables that a statement names, as it writes them."""
    return tuple(dict.fromkeys(match["table"] for match in _TABLES.finditer(statement)))


def made_up(type_: str, *, fresh: bool) -> str | None:
    """Return a value of a type, as text that the server reads; ``fresh`` is one of its own."""
    token = secrets.token_hex(8)
    if type_.endswith("[]"):
        return "{}"
    if type_ in {"smallint", "integer", "bigint", "numeric", "real", "double precision"}:
        most = 2**15 if type_ == "smallint" else 2**31
        return str(most - 1 - secrets.randbelow(most // 20) if fresh else 1)
    known = {
        "boolean": "true",
        "uuid": f"{token}{token}",
        "json": "{}",
        "jsonb": "{}",
        "date": "now",
        "time without time zone": "12:00",
        "interval": "1 second",
        "bytea": r"\x00",
    }
    if type_.startswith("timestamp"):
        return "now"
    if type_ in known:
        return known[type_]
    textual = type_ in {"text", "citext", "name"} or type_.startswith("character")
    return token if textual else None


@dataclass(frozen=True, kw_only=True)
class Item:
    """A statement of the load. ``call`` runs it once it is prepared as ``name``, and is empty where
    no values were found for it.

    ``own`` tells the app's statements from those that were made up.
    """

    name: str
    statement: str
    call: str
    own: bool


async def statements_of(live: Access, database: str) -> tuple[str, ...]:
    """Return what the app asks its live database most, with $1 for values; () when nobody counts."""
    url = live.admin_url and psycopg.conninfo.make_conninfo(live.admin_url, dbname="postgres")
    try:
        async with await _connect(url or live.app_url) as connection:
            role = "" if live.provided else "server"
            cursor = await connection.execute(
                _SQL["statements"], {"database": database, "role": role, "limit": MOST_STATEMENTS}
            )
            texts = [row["query"] for row in await cursor.fetchall()]
    except psycopg.Error:  # not loaded, not installed, or not ours to read
        return ()
    return tuple(t for t in texts if _PREPARABLE.match(t) and model.changes_something(t))


async def forget_statements(live: Access, database: str) -> None:
    """Begin anew to count what the app asks, for a release that asked it is gone. A provider's
    statistics are not ours to forget."""
    if live.provided:
        return
    url = psycopg.conninfo.make_conninfo(live.admin_url, dbname="postgres")
    with contextlib.suppress(psycopg.Error):  # nobody counts
        async with await _connect(url) as connection:
            await connection.execute(_SQL["forget_statements"], {"database": database})


class Load:
    """The load of one copy."""

    def __init__(self, copy: Copy, items: Sequence[Item]) -> None:
        self._copy = copy
        self._items = items

    @classmethod
    async def learn(cls, copy: Copy, statements: Sequence[str]) -> Load:
        """Find values with which the statements work, and make others up for every table."""
        items: list[Item] = []
        async with await _connect(copy.access.admin_url) as admin, _session(copy) as session:
            for number, statement in enumerate(statements):
                if item := await _learned(admin, session, f"own_{number}", statement):
                    items.append(item)
            cursor = await admin.execute(_SQL["tables"], {"limit": MOST_TABLES})
            made_up = [
                Item(name=name, statement=text, call=f"execute {name}", own=False)
                for number, row in enumerate(await cursor.fetchall())
                for name, text in _touching(row, number).items()
            ]
            items += [item for item in made_up if await _works(session, item)]
        return cls(copy, items)

    @property
    def knows_statements(self) -> bool:
        return any(item.own for item in self._items)

    @property
    def sentence(self) -> str:
        ran = [item for item in self._items if item.call]
        own = sum(item.own for item in ran)
        others = len(ran) - own
        return f"{own} statements of the app and {others} made up for its tables, in {SESSIONS} sessions."

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the load until the block ends."""
        tasks = [asyncio.create_task(self._go_round(n)) for n in range(SESSIONS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_round(self, first: int) -> None:
        items = [item for item in self._items if item.call]
        if not items:
            return
        async with _session(self._copy, seconds=0) as session:
            for item in itertools.cycle([*items[first:], *items[:first]]):
                await _works(session, item)
                await asyncio.sleep(PAUSE_SECONDS)  # a load has a rate

    async def broken(self) -> tuple[Broken, ...]:
        """Return the app's statements that worked before and do not now."""
        own = [item for item in self._items if item.own]
        async with _session(self._copy) as session:
            return tuple(
                [Broken(one.statement, why) for one in own if (why := await _fails(session, one))]
            )


async def _learned(
    admin: db.Connection, session: db.Connection, name: str, statement: str
) -> Item | None:
    """Return a statement with values with which it works; None for one that nobody can prepare."""
    try:
        await session.execute(f"prepare {name} as {statement}".encode())
        cursor = await session.execute(_SQL["parameters"], {"name": name})
        row = await cursor.fetchone()
    except psycopg.Error:
        return None
    types: list[str] = row["types"] if row else []
    columns = await _columns(admin, statement)
    for fresh in (False, True):
        values = [
            _value(type_, columns.get(places(statement).get(number, "")), fresh=fresh)
            for number, type_ in enumerate(types, 1)
        ]
        call = f"execute {name}({', '.join(values)})" if values else f"execute {name}"
        item = Item(name=name, statement=statement, call=call, own=True)
        if await _works(session, item):
            return item
    # At least its words can be checked.
    return Item(name=name, statement=statement, call="", own=True)


async def _columns(admin: db.Connection, statement: str) -> Mapping[str, db.Row]:
    """Return the columns of a statement's tables by name, each with a value that is in it."""
    found: dict[str, db.Row] = {}
    for table in tables(statement):
        cursor = await admin.execute(_SQL["columns"], {"table": table})
        for row in await cursor.fetchall():
            found.setdefault(row["name"], row)
    for row in found.values():
        sample = psycopg.sql.SQL(
            "select {column}::text as value from {table} where {column} is not null limit 1"
        )
        cursor = await admin.execute(
            sample.format(
                column=psycopg.sql.Identifier(row["name"]),
                table=psycopg.sql.Identifier(row["schema"], row["table"]),
            )
        )
        one = await cursor.fetchone()
        row["value"] = one["value"] if one else None
    return found


def _value(type_: str, column: db.Row | None, *, fresh: bool) -> str:
    sampled = column["value"] if column else None
    keeps = column is not None and (column["refers"] or not column["distinct"])
    value = sampled if sampled is not None and (keeps or not fresh) else made_up(type_, fresh=fresh)
    return psycopg.sql.Literal(value).as_string()


def _touching(row: db.Row, number: int) -> dict[str, str]:
    """Return statements that read and write one row of a table, by name."""
    table = psycopg.sql.Identifier(row["schema"], row["table"]).as_string()
    read = {f"read_{number}": f"select * from {table} limit 1"}  # noqa: S608 -- quoted
    if not row["column"]:
        return read
    column = psycopg.sql.Identifier(row["column"]).as_string()
    write = (
        f"update {table} set {column} = {column} where ctid = (select ctid from {table} limit 1)"  # noqa: S608 -- quoted
    )
    return {**read, f"write_{number}": write}


async def _works(session: db.Connection, item: Item) -> bool:
    return not await _fails(session, item)


async def _fails(session: db.Connection, item: Item) -> str:
    """Run an item, and return why it failed; "" when it did not. Nothing of it stays."""
    try:
        known = await session.execute(_SQL["is_prepared"], {"name": item.name})
        if not await known.fetchone():
            await session.execute(f"prepare {item.name} as {item.statement}".encode())
        if item.call:
            await session.execute(f"begin; {item.call}; rollback".encode())
    except psycopg.Error as error:
        if session.closed:
            raise
        await session.execute(b"rollback")
        with contextlib.suppress(psycopg.Error):  # it was never prepared
            await session.execute(f"deallocate {item.name}".encode())
        return str(error.diag.message_primary or error)
    return ""


@contextlib.asynccontextmanager
async def _session(copy: Copy, *, seconds: float = TRY_SECONDS) -> AsyncIterator[db.Connection]:
    """Connect as the app does; without ``seconds`` a statement may take as long as it has to wait."""
    async with await _connect(copy.access.app_url) as connection:
        await connection.execute(f"set statement_timeout = {round(seconds * 1000)}".encode())
        yield connection


async def _connect(url: str) -> db.Connection:
    return await psycopg.AsyncConnection[db.Row].connect(
        url,
        autocommit=True,
        connect_timeout=10,
        application_name="shipway rehearsal",
        row_factory=psycopg.rows.dict_row,
        prepare_threshold=None,
    )
