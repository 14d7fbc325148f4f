"""Databases brought up from backups beside the live one, as they were at some moment.

Such a copy is a standby without a primary: it replays the log up to its moment and stays there,
readable and unchanged, until it is opened for writing or taken down. It belongs to the cluster's
owner, for what is in it is as private; its port is part of its socket's name, and nothing listens.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import pathlib
from dataclasses import dataclass

import psycopg
import psycopg.rows
import psycopg.sql

from shipway.database import clusters, configuration, node
from shipway.database.backups import configuration as told
from shipway.database.backups import engine, tables
from shipway.database.backups.keeping import Backups, Site
from shipway.database.backups.moments import Choice
from shipway.database.backups.wal import SEGMENT_BYTES, Segment
from shipway.database.model import Access
from shipway.kit import command, db, errors
from shipway.runtime.model import Task
from shipway.runtime.port import Keeper, OnLine

READY_SECONDS = 12 * 3600.0
"""A copy may have a day's log to replay."""

REPLACED = "replaced"
"""The folder of the data that a copy has replaced, until somebody discards it."""

LOOK_SECONDS = 0.2

_SQL = db.queries(__package__ or "", "recovery.sql")


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a copy stands: the folder of its data, its port, and the beginning of its service."""

    data: str
    port: int


RECOVERY = Spot(data="recovery", port=5433)
"""What people look at and put in place."""

DRILL = Spot(data="drill", port=5434)
"""What drills bring up and take down."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A copy that stands at its moment. ``newest`` is when its last transaction was committed,
    None when it replayed none; ``paused``: its log goes on after that."""

    newest: datetime.datetime | None
    paused: bool


class Recoveries:
    """Brings copies up and takes them down. Every method may be repeated."""

    def __init__(
        self, keeper: Keeper, home: pathlib.Path, of: clusters.Clusters, backups: Backups
    ) -> None:
        self._keeper = keeper
        self._clusters = of
        self._backups = backups
        self._nodes = node.Nodes(keeper, home, None)

    async def fetch(
        self, site: Site, spot: Spot, choice: Choice, *, on_line: OnLine | None = None
    ) -> None:
        """Restore the files of a backup, from the beginning; what stood there goes."""
        await self.take_down(site, spot)
        target = await self._backups.target(site)
        await self._backups.engine.configure(target)
        await self._backups.engine.restore(
            target, choice.repository, choice.backup, spot.data, on_line=on_line
        )

    async def start(self, site: Site, spot: Spot, choice: Choice) -> Arrival:
        """Start a restored copy and wait until it stands at its moment.

        Raises `errors.Failed` when it does not come there, for example because log is missing.
        """
        await self._instruct(site, spot.data, choice.repository, choice.at)
        await self._nodes.start(self._server(site, spot))
        return await self._arrived(site, spot, choice)

    async def _instruct(
        self, site: Site, data: str, repository: int, at: datetime.datetime | None
    ) -> None:
        """Tell the server in a folder from where to take its log, and how far to go."""
        folder = await self._keeper.provide(site.owner)
        taken = told.command(
            engine.program(),
            folder / told.of(repository),
            f"--pg1-path={folder / data}",
            "archive-get",
        )
        # Not recovery_target_timeline: the latest is the default, and what was left is not wanted.
        settings = {"restore_command": f"{taken} %f %p", "recovery_target_action": "pause"}
        if at:
            settings["recovery_target_time"] = at.isoformat()
        text = "".join(f"{k} = {configuration.quoted(v)}\n" for k, v in settings.items())
        await self._keeper.write(site.owner, f"{data}/postgresql.auto.conf", text.encode())

    async def open(self, site: Site, spot: Spot) -> Access:
        """Open a copy for writing. It never archives, so that nothing else sees what is written."""
        async with await self._connected(site, spot) as connection:
            await _open(connection, site)
        return await self.access(site, spot)

    async def access(self, site: Site, spot: Spot) -> Access:
        """Return the addresses of a copy: the roles and passwords are those of the live one."""
        return await self._clusters.access_at(site.app, site.environment, spot.port, by_port=False)

    async def take_down(self, site: Site, spot: Spot) -> None:
        """Stop a copy and remove it."""
        await self._keeper.provide(site.owner)
        await self._keeper.drop(_service(site, spot))
        await self._keeper.remove(site.owner, spot.data)

    async def rows(self, site: Site, spot: Spot | None) -> dict[str, int]:
        """Count the rows of every table, in a copy or in the live database."""
        access = await (self.access(site, spot) if spot else self._backups.access(site))
        counted: dict[str, int] = {}
        async with await _connect(access.admin_url, site) as connection:
            for table in await (await connection.execute(_SQL["tables"])).fetchall():
                name = psycopg.sql.Identifier(table["schema"], table["name"])
                asked = psycopg.sql.SQL("select count(*) as rows from {}").format(name)
                row = await (await connection.execute(asked)).fetchone()
                counted[f"{table['schema']}.{table['name']}"] = row["rows"] if row else 0
        return counted

    async def put_in_place(
        self, site: Site, spot: Spot, repository: int, at: datetime.datetime | None
    ) -> None:
        """Have a copy be the live database, and keep the data before beside it.

        It goes on from where it stands, to the same moment, out of the same repository.

        What cannot be started is taken back: then the data before is live again, and
        `errors.Failed` says why.
        """
        live = clusters.node_of(
            site.app, site.environment, await self._clusters.port(site.app, site.environment)
        )
        await self._keeper.drop(_service(site, spot))
        if await self._is_there(site, spot.data):
            await self._keeper.drop(live.service)
            if await self._is_there(site, live.data):
                await self._keeper.remove(site.owner, REPLACED)
                await self._move(site, live.data, REPLACED)
            await self._move(site, spot.data, live.data)
            await self._instruct(site, live.data, repository, at)
        try:
            await self._nodes.start(live)
            await self._open_live(site)
        except errors.ShipwayError:
            await self._keeper.drop(live.service)
            await self._move(site, live.data, spot.data)
            await self._move(site, REPLACED, live.data)
            await self._nodes.start(live)
            raise

    async def _open_live(self, site: Site) -> None:
        """Begin a history of its own: the server archives it, beginning with its first line."""
        access = await self._backups.access(site)
        async with await _connect(access.admin_url, site) as connection:
            await _open(connection, site)
            await connection.execute(_SQL["reload"])

    async def remove_replaced(self, site: Site) -> None:
        """Remove the data that a copy has replaced."""
        await self._keeper.provide(site.owner)
        await self._keeper.remove(site.owner, REPLACED)

    async def _is_there(self, site: Site, path: str) -> bool:
        return await self._do(site, "test", "-e", path) == 0

    async def _move(self, site: Site, path: str, to: str) -> None:
        if await self._do(site, "mv", "-T", path, to):
            raise errors.Failed(f"{path} of {site} could not be moved to {to}.")

    async def _do(self, site: Site, *argv: str) -> int:
        task = Task(
            owner=site.owner,
            argv=argv,
            key=f"recovery.{argv[0]}.{site.owner.slug}",
            env=command.base_environment(),
            timeout=60,
        )
        return await self._keeper.run(task)

    async def bring_back(self, site: Site, spot: Spot, table: str, *, replace: bool) -> int:
        """Copy the rows of a table from a copy into the live database; return how many.

        Those that are there already stay as they are; with ``replace`` all rows of the table are
        replaced. All of it or nothing. Raises `errors.NotFound` without such a table,
        `errors.Refused` when the live database does not take the rows.
        """
        schema, _, name = table.rpartition(".")
        where = {"schema": schema or "public", "table": name}
        from_ = (await self.access(site, spot)).admin_url
        to = (await self._backups.access(site)).owner_url
        async with await _connect(from_, site) as copy, await _connect(to, site) as live:
            columns = await _columns(copy, where), await _columns(live, where)
            if not all(columns):
                which = "copy" if not columns[0] else "live database"
                raise errors.NotFound(f"The {which} of {site} has no table {table}.")
            shared = [one for one in columns[1] if one in columns[0]]
            try:
                return await tables.transfer(copy, live, where, shared, replace=replace)
            except psycopg.Error as error:
                raise errors.Refused(
                    f"The rows of {table} do not fit into the live database:"
                    f" {str(error).splitlines()[0]}"
                ) from error

    async def _arrived(self, site: Site, spot: Spot, choice: Choice) -> Arrival:
        """Wait until the copy has come to its moment, or to the end of the log."""
        reach = await self._backups.reach(site, choice.repository)
        end = (Segment.named(reach.newest).number) * SEGMENT_BYTES if reach.newest else 0
        async with asyncio.timeout(READY_SECONDS), await self._connected(site, spot) as connection:
            while True:
                row = await (await connection.execute(_SQL["arrived"])).fetchone()
                assert row
                if row["paused"] or not row["recovering"]:
                    return Arrival(newest=row["newest"], paused=row["paused"] is True)
                if row["waiting"]:
                    if int(row["replayed"] or 0) < end:
                        raise await self._stuck(site, spot, choice)
                    return Arrival(newest=row["newest"], paused=False)
                await asyncio.sleep(LOOK_SECONDS)  # a standby tells nobody how far it has come

    async def _stuck(self, site: Site, spot: Spot, choice: Choice) -> errors.Failed:
        lines = await self._keeper.log_lines(_service(site, spot), last=3)
        return errors.Failed(
            f"The copy of {site} cannot go on: repository {choice.repository} does not give the log"
            f" that it needs. {' '.join(lines)}",
            fix="Try the other repository: --repository.",
        )

    async def _connected(self, site: Site, spot: Spot) -> db.Connection:
        return await _connect((await self.access(site, spot)).admin_url, site)

    def _server(self, site: Site, spot: Spot) -> node.Node:
        like = clusters.node_of(site.app, site.environment, 0)
        return dataclasses.replace(
            like,
            service=_service(site, spot),
            settings={
                **like.settings,
                "archive_mode": "off",
                "port": str(spot.port),
                "wal_retrieve_retry_interval": "1s",
            },
            port=spot.port,
            data=spot.data,
        )


def _service(site: Site, spot: Spot) -> str:
    return f"{spot.data}.{site.app}.{site.environment}"


async def _open(connection: db.Connection, site: Site) -> None:
    row = await (await connection.execute(_SQL["promote"])).fetchone()
    assert row
    if row["failed"]:
        raise errors.Failed(f"The copy of {site} could not be opened for writing.")
    await connection.execute(_SQL["forget_target"])


async def _columns(connection: db.Connection, where: dict[str, str]) -> list[str]:
    found = await connection.execute(_SQL["columns"], where)
    return [row["name"] for row in await found.fetchall()]


async def _connect(url: str, site: Site) -> db.Connection:
    try:
        return await psycopg.AsyncConnection[db.Row].connect(
            url,
            autocommit=True,
            connect_timeout=10,
            application_name="shipway recovery",
            row_factory=psycopg.rows.dict_row,
        )
    except psycopg.OperationalError as error:
        raise errors.Unavailable(f"A database of {site} does not answer: {error}") from error
