"""What the edge is to serve, as rows. Each environment of an app changes its own part only."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

import psycopg.errors

from shipway.edge.model import Pool, Route, Share, Table
from shipway.edge.port import Edge
from shipway.kit import db, errors

_SQL = db.queries(__package__)


class Tables:
    """The desired state. Shipway's own routes and pools are those of the app ``shipway``."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def set_routes(self, app: str, environment: str, routes: Sequence[Route]) -> None:
        """Make these the routes of the environment, and remove its others. May be repeated.

        Raises `errors.Conflict` when a host is served for somebody else, and `errors.Refused`
        when a share names a pool that is not there.
        """
        keep = [route.host for route in routes]
        async with self._db.transaction():
            await self._db.run(_SQL["remove_routes"], app=app, environment=environment, keep=keep)
            for route in routes:
                await self._put_route(app, environment, route)

    async def set_pool(self, app: str, environment: str, pool: Pool) -> None:
        """Add a pool or change it. Raises `errors.Conflict` when its name is somebody else's."""
        changed = await self._db.run(
            _SQL["put_pool"],
            name=pool.name,
            app=app,
            environment=environment,
            endpoints=list(pool.endpoints),
            health_path=pool.health_path,
        )
        if not changed:
            raise errors.Conflict(f"The pool {pool.name} belongs to another environment.")

    async def remove_pool(self, name: str) -> None:
        """Remove a pool. May be repeated. Raises `errors.Conflict` while a route names it."""
        hosts = [row["host"] for row in await self._db.rows(_SQL["hosts_on_pool"], name=name)]
        if hosts:
            raise errors.Conflict(
                f"The pool {name} still has a share of {', '.join(hosts)}.",
                fix="Turn the route to another pool first.",
            )
        await self._db.run(_SQL["remove_pool"], name=name)

    async def remove(self, app: str, environment: str) -> None:
        """Remove all routes and pools of an environment. May be repeated."""
        async with self._db.transaction():
            await self.set_routes(app, environment, ())
            for pool in await self.pools(app, environment):
                await self.remove_pool(pool.name)

    async def routes(self, app: str, environment: str) -> tuple[Route, ...]:
        """Return the routes of an environment, by host."""
        rows = await self._db.rows(_SQL["routes"], app=app, environment=environment)
        return tuple(_route(row) for row in rows)

    async def pools(self, app: str, environment: str) -> tuple[Pool, ...]:
        """Return the pools of an environment, by name."""
        rows = await self._db.rows(_SQL["pools_of"], app=app, environment=environment)
        return tuple(_pool(row) for row in rows)

    async def table(self) -> Table:
        """Return all of it, for the edge."""
        async with self._db.transaction():
            routes = await self._db.rows(_SQL["routes"], app=None, environment=None)
            pools = await self._db.rows(_SQL["pools"])
        return Table(tuple(_route(row) for row in routes), tuple(_pool(row) for row in pools))

    async def _put_route(self, app: str, environment: str, route: Route) -> None:
        changed = await self._db.run(
            _SQL["put_route"],
            host=route.host,
            app=app,
            environment=environment,
            tls=route.tls,
            hsts=route.hsts,
            minimum_tls=route.minimum_tls,
            timeout_seconds=route.timeout_seconds,
        )
        if not changed:
            owner = await self._db.row(_SQL["owner_of_host"], host=route.host) or {}
            raise errors.Conflict(
                f"{route.host} is already served for {owner.get('app')} {owner.get('environment')}.",
                fix="Give the environment another domain in shipway.toml.",
            )
        await self._db.run(_SQL["remove_shares"], host=route.host)
        for position, share in enumerate(route.shares):
            await self._put_share(route.host, position, share)

    async def _put_share(self, host: str, position: int, share: Share) -> None:
        try:
            await self._db.run(
                _SQL["put_share"],
                host=host,
                position=position,
                pool=share.pool,
                per_mille=share.per_mille,
                headers=db.json(dict(share.headers)),
            )
        except psycopg.errors.ForeignKeyViolation as error:
            raise errors.Refused(
                f"{host} cannot go to {share.pool}: there is no such pool"
            ) from error


class Steering:
    """Changes rows and the edge together: when the edge refuses, the rows stay as they were."""

    def __init__(self, database: db.Database, edge: Edge) -> None:
        self._db = database
        self._edge = edge

    @contextlib.asynccontextmanager
    async def change(self) -> AsyncIterator[Tables]:
        """Change what the edge serves: leaving the block puts it in force.

        One change at a time, whichever process makes it, so that none undoes another. Raises what
        `port.Edge.apply` raises, and then leaves rows and edge as they were.
        """
        async with self._db.transaction():
            await self._db.rows(_SQL["one_at_a_time"])
            tables = Tables(self._db)
            yield tables
            await self._edge.apply(await tables.table())

    async def refresh(self) -> None:
        """Put the rows in force again, for an edge that lost its files or certificates that near
        their end. May be repeated; an edge that has them changes nothing."""
        async with self.change():
            pass


def _route(row: db.Row) -> Route:
    return Route(
        host=row["host"],
        shares=tuple(Share(**share) for share in row["shares"]),
        tls=row["tls"],
        hsts=row["hsts"],
        minimum_tls=row["minimum_tls"],
        timeout_seconds=row["timeout_seconds"],
    )


def _pool(row: db.Row) -> Pool:
    return Pool(name=row["name"], endpoints=tuple(row["endpoints"]), health_path=row["health_path"])
