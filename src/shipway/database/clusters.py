"""One PostgreSQL cluster for each environment of an app, unless it was given a database."""

from __future__ import annotations

import pathlib
from collections.abc import Awaitable, Callable
from typing import Protocol

import psycopg
import psycopg.sql

from shipway.database import addresses, configuration, node, ports
from shipway.database.model import Access, Patience, Status
from shipway.kit import db, errors
from shipway.runtime.model import Kind, Owner
from shipway.runtime.port import Keeper

OWNER_ROLE = "schema_owner"
"""Owns the database and all in it; only migrations use it."""

APP_ROLE = "server"
"""Reads and writes rows, and cannot change the schema."""

ADMIN_ROLE = "shipway"

Given = Callable[[str, str], Awaitable[str]]
"""Tells the ``DB_URL`` that was given for an app and environment; empty when there is none."""

_SQL = db.queries(__package__ or "")


class Passwords(Protocol):
    """Where a password that nobody chose is made once and kept sealed."""

    async def internal(self, app: str, environment: str, name: str) -> str: ...


class Clusters:
    """The databases of all apps. A given one is the provider's: never started, never removed."""

    def __init__(
        self,
        keeper: Keeper,
        home: pathlib.Path,
        passwords: Passwords,
        given: Given,
        *,
        ports: ports.Ports | None = None,
        programs: pathlib.Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._keeper = keeper
        self._nodes = node.Nodes(keeper, home, programs)
        self._passwords = passwords
        self._given = given
        self._ports = ports
        self._patience = patience or Patience()

    async def access(self, app: str, environment: str) -> Access:
        """Return the addresses of the database, whether or not it runs."""
        if given := await self._given(app, environment):
            return Access(owner_url=given, app_url=given, admin_url="")
        port = await self.port(app, environment)
        return await self.access_at(app, environment, port, by_port=bool(port))

    async def access_at(self, app: str, environment: str, port: int, *, by_port: bool) -> Access:
        """Return the addresses of a server of this environment that has this port."""
        folder = self._nodes.sockets(owner_of(app, environment))

        async def address(role: str, *, by_port: bool) -> str:
            password = await self._password(app, environment, role)
            if by_port:
                return addresses.by_port(port, app, role, password)
            return addresses.by_socket(folder, app, role, password, port=port)

        return Access(
            owner_url=await address(OWNER_ROLE, by_port=by_port),
            app_url=await address(APP_ROLE, by_port=by_port),
            admin_url=await address(ADMIN_ROLE, by_port=False),
        )

    async def port(self, app: str, environment: str) -> int:
        """Return the port that it is reached by, 0 where it is reached by its socket alone."""
        return await self._ports.find(app, environment) if self._ports else 0

    async def port_of_copy(self, app: str, environment: str) -> int:
        """Return the port of a copy of the database, 0 where sockets do for it as for the live one.

        Raises `errors.Unavailable` when all of them are taken.
        """
        if not self._ports or not await self.port(app, environment):
            return 0
        return await self._ports.give(app, f"{environment}.copy")

    async def ensure(self, app: str, environment: str, *, by_port: bool = False) -> Access:
        """Make the cluster, its database and its roles if missing, start it and wait for it.

        ``by_port`` gives it a port of this machine, which it keeps. A cluster that ran without one
        is started again for it. May be repeated. Raises `errors.Unavailable` and `errors.Failed` as `node.Nodes.start`.
        """
        if by_port and self._ports and not await self._given(app, environment):
            await self._ports.give(app, environment)
        access = await self.access(app, environment)
        if not access.provided:
            port = await self.port(app, environment)
            await self._nodes.start(node_of(app, environment, port))
            await self.make_roles(app, environment, port)
        return access

    async def make_roles(self, app: str, environment: str, port: int) -> None:
        """Make the database and the roles of a running server what they should be."""
        owner = owner_of(app, environment)
        await self._nodes.sql(owner, await self._roles(app, environment), port=port)
        await self._nodes.sql(owner, _SQL["grant_rows"], database=app, port=port)

    async def status(self, app: str, environment: str) -> Status:
        """Observe the database. A provider's is not looked into."""
        access = await self.access(app, environment)
        if access.provided:
            return Status(up=None, sentence="The database is the provider's (DB_URL is given).")
        try:
            async with await psycopg.AsyncConnection[db.Row].connect(
                access.admin_url, connect_timeout=5, row_factory=psycopg.rows.dict_row
            ) as connection:
                row = await (await connection.execute(_SQL["size"])).fetchone()
        except psycopg.OperationalError:
            return Status(up=False, sentence="The database does not answer.")
        assert row
        return Status(up=True, sentence=f"PostgreSQL {row['version']}, one node, {row['size']}.")

    async def remove(self, app: str, environment: str) -> None:
        """Stop the cluster and remove its data for good. May be repeated."""
        if await self._given(app, environment):
            raise errors.Refused(
                f"The database of {app} in {environment} is the provider's",
                fix="Remove it there, and `shipway env unset DB_URL` here.",
            )
        await self._keeper.drop(copy_name(app, environment))
        await self._nodes.remove(_name(app, environment), owner_of(app, environment))
        if self._ports:
            await self._ports.give_up(app, environment)
            await self._ports.give_up(app, f"{environment}.copy")

    async def _password(self, app: str, environment: str, role: str) -> str:
        return await self._passwords.internal(app, environment, f"database.{role}")

    async def _roles(self, app: str, environment: str) -> str:
        """The script that makes the database and the roles what they should be."""
        literal, name = psycopg.sql.Literal, psycopg.sql.Identifier
        passwords = {
            f"{role}_password": literal(await self._password(app, environment, role))
            for role in (OWNER_ROLE, APP_ROLE, ADMIN_ROLE)
        }
        script = psycopg.sql.SQL(_SQL["make_cluster"])
        return script.format(
            **passwords,
            database=name(app),
            database_text=literal(app),
            tag=literal(f"shipway-migrate:{app}:{environment}"),
            lock_timeout=literal(round(self._patience.lock * 1000)),
            statement_timeout=literal(round(self._patience.statement * 1000)),
        ).as_string()


def owner_of(app: str, environment: str) -> Owner:
    """Return whose folder the servers of an environment stand in."""
    return Owner(Kind.CLUSTER, app, environment)


def _name(app: str, environment: str) -> str:
    return f"cluster.{app}.{environment}"


def copy_name(app: str, environment: str) -> str:
    """Return the name of the service that a copy of the database is, while there is one."""
    return f"rehearsal.{app}.{environment}"


def node_of(app: str, environment: str, port: int) -> node.Node:
    """Return the server of an environment."""
    password = configuration.PASSWORD
    return node.Node(
        owner=owner_of(app, environment),
        service=_name(app, environment),
        settings={**configuration.CLUSTER, **configuration.reached_by(port)},
        port=port,
        libraries=("pg_stat_statements",),
        rules=(
            ("all", ADMIN_ROLE, password),
            (f'"{app}"', OWNER_ROLE, password),
            (f'"{app}"', APP_ROLE, password),
        ),
        roles={},
    )
