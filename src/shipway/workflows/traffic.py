"""Which release an environment's hosts go to: the one place that changes the edge's table."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from shipway.edge.model import WHOLE, Pool, Route, Share
from shipway.edge.port import Edge
from shipway.edge.tables import Steering
from shipway.environments.policy import Policy

INTAKE = "shipway.intake"
API = "shipway.api"
EXPORTS = "x-shipway-exports"
"""The edge tells intake which web exports to serve: the release's, then older ones for the
assets of pages that are still open."""
UPDATES = "x-shipway-updates"
"""The edge tells intake whose updates a host offers: ``<app>/<channel>``."""

HEALTHY_SECONDS = 30.0
QUIET_SECONDS = 30.0
LONGEST_SECONDS = 4 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Site:
    """The hosts of an app in an environment and how they are served."""

    app: str
    environment: str
    hosts: tuple[tuple[str, str], ...]
    """Each host, and what answers there: ``client`` or ``server``."""
    policy: Policy
    has_updates: bool = False
    """Whether devices come to the domain for updates: the app has a native client."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A deployment's part of the traffic. ``export`` is the digest of its web export, or ""."""

    deployment: str
    per_mille: int
    has_server: bool
    export: str


class Traffic:
    """Pools and shares of every environment. Changes are made one after the other."""

    def __init__(self, steering: Steering, edge: Edge, ca_file: pathlib.Path) -> None:
        self._steering = steering
        self._edge = edge
        self.ca_file = ca_file

    async def serve_platform(self, *, host: str, api: str, intake: str) -> None:
        """Serve Shipway's own API and web exports. May be repeated."""
        whole = (Share(pool=API, per_mille=WHOLE),)
        async with self._steering.change() as tables:
            await tables.set_pool("shipway", "", Pool(name=INTAKE, endpoints=(intake,)))
            await tables.set_pool("shipway", "", Pool(name=API, endpoints=(api,)))
            # Runs are followed and repositories pushed through here: both take their time.
            route = Route(host=host, shares=whole, timeout_seconds=LONGEST_SECONDS)
            await tables.set_routes("shipway", "", (route,))

    async def add(self, site: Site, deployment: str, endpoints: Sequence[str], health: str) -> None:
        """Make instances known to the edge, and return once it finds them healthy."""
        name = pool_of(site.app, site.environment, deployment)
        pool = Pool(name=name, endpoints=tuple(endpoints), health_path=health)
        async with self._steering.change() as tables:
            await tables.set_pool(site.app, site.environment, pool)
        await self._edge.wait_healthy(name, endpoints=len(endpoints), timeout=HEALTHY_SECONDS)

    async def share(self, site: Site, parts: Sequence[Part]) -> None:
        """Turn the traffic of an environment to deployments, in shares that add up to 1000."""
        async with self._steering.change() as tables:
            await tables.set_routes(site.app, site.environment, routes(site, parts))

    async def remove(self, app: str, environment: str, deployment: str) -> None:
        """Forget instances that get no traffic, once their last request has ended."""
        name = pool_of(app, environment, deployment)
        await self._edge.wait_quiet(name, timeout=QUIET_SECONDS)
        async with self._steering.change() as tables:
            await tables.remove_pool(name)

    async def refresh(self) -> None:
        """Put everything in force again: certificates that near their end are renewed."""
        await self._steering.refresh()


def pool_of(app: str, environment: str, deployment: str) -> str:
    return f"{app}.{environment}.{deployment}"


def routes(site: Site, parts: Sequence[Part]) -> tuple[Route, ...]:
    """Return the routes of a site: the server under its host, the web export under the domain.

    An app without a client answers under its domain with its server.
    """
    if not parts:
        return ()
    server = tuple(
        Share(pool=pool_of(site.app, site.environment, part.deployment), per_mille=part.per_mille)
        for part in parts
        if part.has_server
    )
    exports = [part.export for part in parts if part.export]
    web = tuple(
        Share(pool=INTAKE, per_mille=part.per_mille, headers=_told(site, part, exports))
        for part in parts
        if part.export or site.has_updates
    )
    shares = {"client": web or server, "server": server}
    return tuple(_route(site, host, shares[to]) for host, to in site.hosts if shares[to])


def _told(site: Site, part: Part, exports: Sequence[str]) -> dict[str, str]:
    """What the edge tells intake with each request."""
    told = {EXPORTS: _first(part, exports)} if part.export else {}
    return told | ({UPDATES: f"{site.app}/{site.environment}"} if site.has_updates else {})


def _first(part: Part, exports: Sequence[str]) -> str:
    return ",".join(dict.fromkeys((part.export, *exports)))


def _route(site: Site, host: str, shares: tuple[Share, ...]) -> Route:
    return Route(
        host=host,
        shares=_filled(shares),
        tls=site.policy.tls,
        hsts=site.policy.hsts,
        minimum_tls=site.policy.minimum_tls,
    )


def _filled(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Give the share of a release that has no such part (no server, no web export) to the last."""
    missing = WHOLE - sum(share.per_mille for share in shares)
    if not missing:
        return shares
    last = shares[-1]
    filled = Share(pool=last.pool, per_mille=last.per_mille + missing, headers=last.headers)
    return (*shares[:-1], filled)
