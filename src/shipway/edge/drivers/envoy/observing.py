"""What Envoy's pools look like now, and waiting until they look as wanted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shipway.edge.drivers.envoy import clusters
from shipway.edge.drivers.envoy.admin import Admin, looking
from shipway.edge.model import PoolHealth
from shipway.kit import errors

Json = dict[str, Any]


async def pools(envoy: Admin) -> Sequence[PoolHealth]:
    """Observe every pool."""
    known = await envoy.clusters()
    counts = await envoy.stats(r"^cluster\..*\.upstream_rq_(active|completed|5xx)$")
    return tuple(_pool_health(cluster, counts) for cluster in known)


async def healthy(envoy: Admin) -> dict[str, set[str]]:
    """Return the healthy endpoints of every pool."""
    return {pool.name: set(pool.healthy) for pool in await pools(envoy)}


async def wait_healthy(envoy: Admin, pool: str, *, endpoints: int, timeout: float) -> None:
    """Return when so many endpoints of the pool are healthy. Raises `errors.Failed`."""
    found = 0
    try:
        async with asyncio.timeout(timeout):
            async for _ in looking():
                found = len((await healthy(envoy)).get(pool, ()))
                if found >= endpoints:
                    return
    except TimeoutError as error:
        raise errors.Failed(
            f"{found} of {endpoints} endpoints of {pool} became healthy within {timeout:g} seconds.",
            fix="See the log of the instances.",
        ) from error


async def wait_any_healthy(envoy: Admin, needed: Mapping[str, set[str]], *, timeout: float) -> None:
    """Return when each pool has a healthy one among these endpoints. Raises `errors.Failed`."""
    ill = set(needed)
    try:
        async with asyncio.timeout(timeout):
            async for _ in looking():
                now = await healthy(envoy)
                ill = {pool for pool in ill if not now.get(pool, set()) & needed[pool]}
                if not ill:
                    return
    except TimeoutError as error:
        raise errors.Failed(
            f"No endpoint of {', '.join(sorted(ill))} became healthy within {timeout:g} seconds,"
            " so the edge keeps to the old ones.",
            fix="See the log of the instances.",
        ) from error


async def wait_quiet(envoy: Admin, pool: str, *, timeout: float) -> bool:
    """Return True when the pool has no request under way, False when time ran out."""
    pattern = rf"^cluster\.{re.escape(pool)}\.upstream_rq_(active|pending_active)$"
    quiet = 0
    try:
        async with asyncio.timeout(timeout):
            async for _ in looking():
                active = await envoy.stats(pattern)
                quiet = 0 if any(active.values()) else quiet + 1
                # Twice, because each of Envoy's threads hears of new routes at its own moment.
                if quiet == 2:
                    return True
    except TimeoutError:
        pass
    return False


def _pool_health(cluster: Json, counts: Mapping[str, int | str]) -> PoolHealth:
    name = cluster["name"]
    well: list[str] = []
    ill: list[str] = []
    for host in cluster.get("host_statuses", ()):
        (well if _is_healthy(host["health_status"]) else ill).append(
            clusters.address_of(host["address"])
        )
    count = {
        what: int(counts.get(f"cluster.{name}.upstream_rq_{what}", 0))
        for what in ("active", "completed", "5xx")
    }
    return PoolHealth(
        name=name,
        healthy=tuple(sorted(well)),
        unhealthy=tuple(sorted(ill)),
        active_requests=count["active"],
        total_requests=count["completed"],
        failed_requests=count["5xx"],
    )


def _is_healthy(status: Json) -> bool:
    """Envoy names only what is wrong, besides the status that the configuration gave."""
    return set(status) <= {"eds_health_status"} and status.get("eds_health_status") == "HEALTHY"
