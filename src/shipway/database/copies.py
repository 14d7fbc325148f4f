"""Copies of an environment's database, on which migrations are rehearsed.

`Copies` is the door: whoever rehearses asks for a copy and does not know how it is made. Here it is
made by a dump of the live database, whoever runs that one.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import pathlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import psycopg
import psycopg.conninfo
import psycopg.rows

from shipway.database import clusters, find, node
from shipway.database.model import Access
from shipway.kit import command, db, disk, errors
from shipway.runtime.model import Owner, Task
from shipway.runtime.port import Keeper

PORT = 5439
"""Part of the name of a copy's socket; nothing listens on it, unless the app needs a port."""

DATA, DUMP = "rehearsal", "rehearsal.dump"
DUMP_SECONDS = 4 * 3600.0
ROOM = 2.5
"""A copy, its dump and a table that a migration rewrites need so many times the room."""

_SQL = db.queries(__package__ or "", "copies.sql")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A running server with a copy of an app's database, which may be changed at will.

    ``access`` has the same roles as the live one, ``admin_url`` is never empty.
    """

    access: Access
    database: str
    sentence: str


class Copies(Protocol):
    """Where a copy of an environment's database comes from."""

    def lend(self, app: str, environment: str) -> AbstractAsyncContextManager[Copy]:
        """Have a copy of what the database holds now; nothing of it is left behind."""


class Dumped:
    """Copies by pg_dump, in a server of their own beside the live one: as the same OS user, because
    what is in them is as private."""

    def __init__(
        self,
        keeper: Keeper,
        home: pathlib.Path,
        of: clusters.Clusters,
        *,
        programs: pathlib.Path | None = None,
    ) -> None:
        self._keeper = keeper
        self._home = home
        self._clusters = of
        self._given = programs
        self._nodes = node.Nodes(keeper, home, programs)
        self._turns: dict[tuple[str, str], asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    @contextlib.asynccontextmanager
    async def lend(self, app: str, environment: str) -> AsyncIterator[Copy]:
        """Lend one copy at a time of each database.

        Raises `errors.Unavailable` when the live database does not answer, `errors.Refused` when
        there is no room, and `errors.Failed` when it cannot be dumped.
        """
        async with self._turns[app, environment]:
            live = await self._clusters.access(app, environment)
            await self._clear(app, environment)
            try:
                yield await self._make(app, environment, live)
            finally:
                await self._clear(app, environment)
                if live.provided:  # nothing else of it is on this machine
                    await self._keeper.withdraw(clusters.owner_of(app, environment))

    async def _clear(self, app: str, environment: str) -> None:
        """Also what a killed worker has left."""
        owner = clusters.owner_of(app, environment)
        await self._keeper.provide(owner)
        await self._keeper.drop(clusters.copy_name(app, environment))
        for path in (DATA, f"{DATA}.new", DUMP):
            await self._keeper.remove(owner, path)

    async def _make(self, app: str, environment: str, live: Access) -> Copy:
        begun = time.monotonic()
        size, extensions = await self._look(live, app, environment)
        self._must_have_room(size)
        own_port = await self._clusters.port_of_copy(app, environment)
        server, postgres = await self._start(app, environment, live, own_port or PORT)
        if live.provided:  # of whose extensions only a superuser may make some
            script = "".join(f"create extension if not exists {name};\n" for name in extensions)
            await self._nodes.sql(server.owner, script, database=app, port=server.port)
        await self._fill(app, server, postgres, live)
        access = await self._clusters.access_at(
            app, environment, server.port, by_port=bool(own_port)
        )
        await _settle(access.admin_url)
        took = time.monotonic() - begun
        return Copy(
            access=access,
            database=app,
            sentence=f"A copy of {environment} with {disk.shown(size)}, made by dump in {took:.0f} s.",
        )

    async def _look(self, live: Access, app: str, environment: str) -> tuple[int, list[str]]:
        """Return the live database's size in bytes, and its extensions."""
        try:
            async with await psycopg.AsyncConnection[db.Row].connect(
                live.admin_url or live.owner_url,
                connect_timeout=10,
                row_factory=psycopg.rows.dict_row,
            ) as connection:
                row = await (await connection.execute(_SQL["what_is_there"])).fetchone()
        except psycopg.OperationalError as error:
            raise errors.Unavailable(
                f"The database of {app} in {environment} does not answer: {error}"
            ) from error
        assert row
        return int(row["bytes"]), list(row["extensions"])

    def _must_have_room(self, size: int) -> None:
        space = disk.space(self._home)
        if space.free < size * ROOM:
            raise errors.Refused(
                f"A copy of {disk.shown(size)} does not fit: {disk.shown(space.free)} are free, and"
                f" {disk.shown(int(size * ROOM))} are needed with its dump and a table rewritten.",
                fix="Make room, and rehearse again: `shipway db plan --again`.",
            )

    async def _start(
        self, app: str, environment: str, live: Access, port: int
    ) -> tuple[node.Node, find.Postgres]:
        """Start an empty server of the version of the live one."""
        like = clusters.node_of(app, environment, port if port != PORT else 0)
        server = replace(
            like,
            service=clusters.copy_name(app, environment),
            # What is archived of it would end up among the backups of the live one.
            settings={**like.settings, "port": str(port), "archive_mode": "off"},
            port=port,
            data=DATA,
            stop_signal="SIGQUIT",  # nobody needs it afterwards
        )
        major = None if live.provided else (await self._nodes.programs(like.owner)).major
        await self._nodes.start(server, major=major)
        await self._clusters.make_roles(app, environment, port)
        return server, await self._nodes.programs(server.owner, DATA)

    async def _fill(
        self, app: str, server: node.Node, postgres: find.Postgres, live: Access
    ) -> None:
        owner = server.owner
        here = self._nodes.by_superuser(owner, port=server.port)
        there = _variables(live.admin_url or live.owner_url)
        # What a provider's roles own belongs to the owner of the copy, whose names we know.
        whose = ("--no-owner", "--no-acl", "--role", clusters.OWNER_ROLE) if live.provided else ()
        jobs = ("--jobs", "2")
        dump = ("--format", "directory", "--compress", "1", *jobs, "--file", DUMP)
        await self._do(owner, (postgres.program("pg_dump"), *dump), there)
        restore = ("--exit-on-error", "--no-comments", *whose, *jobs, "--dbname", app, DUMP)
        await self._do(owner, (postgres.program("pg_restore"), *restore), here)
        await self._keeper.remove(owner, DUMP)

    async def _do(self, owner: Owner, argv: tuple[str, ...], variables: dict[str, str]) -> None:
        said: list[str] = []
        task = Task(
            owner=owner,
            argv=argv,
            key=f"copy.{owner.slug}",
            env={**command.base_environment(), **variables},
            timeout=DUMP_SECONDS,
        )
        if await self._keeper.run(task, on_line=said.append):
            raise errors.Failed(
                f"{owner.environment} of {owner.app} cannot be copied:"
                f" {pathlib.Path(argv[0]).name} said: {' '.join(said[-3:])}"
            )


async def _settle(url: str) -> None:
    """Have statistics, and everything on disk, as a database has that has run for a while."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in (b"vacuum analyze", b"checkpoint"):
            await connection.execute(statement)


def _variables(url: str) -> dict[str, str]:
    """Return an address as libpq's variables: a password has no place in an argument vector."""
    given = psycopg.conninfo.conninfo_to_dict(url)
    known = {
        option.keyword.decode(): option.envvar.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.envvar
    }
    return {known[name]: str(value) for name, value in given.items() if name in known}
