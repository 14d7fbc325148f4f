"""An edge without a proxy, and a private folder without a keeper."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from shipway.edge import model
from shipway.edge.model import PoolHealth, Table
from shipway.kit import errors


class FakeEdge:
    """Takes every sound table at once. ``ill`` endpoints never become healthy."""

    def __init__(self) -> None:
        self.table = Table()
        self.applied: list[Table] = []
        self.ill: set[str] = set()
        self.busy: set[str] = set()

    async def apply(self, table: Table) -> None:
        model.check(table)
        served = {route.host: _used(route) for route in self.table.routes}
        endpoints = {pool.name: set(pool.endpoints) for pool in table.pools}
        for route in table.routes:
            for pool in _used(route) - served.get(route.host, _used(route)):
                if not endpoints[pool] - self.ill:
                    raise errors.Failed(f"No endpoint of {pool} became healthy.")
        self.table = table
        self.applied.append(table)

    async def pools(self) -> Sequence[PoolHealth]:
        return tuple(
            PoolHealth(
                name=pool.name,
                healthy=tuple(sorted(set(pool.endpoints) - self.ill)),
                unhealthy=tuple(sorted(set(pool.endpoints) & self.ill)),
                active_requests=int(pool.name in self.busy),
                total_requests=0,
                failed_requests=0,
            )
            for pool in self.table.pools
        )

    async def wait_healthy(self, pool: str, *, endpoints: int, timeout: float) -> None:
        found = {health.name: health for health in await self.pools()}
        healthy = len(found[pool].healthy) if pool in found else 0
        if healthy < endpoints:
            raise errors.Failed(f"{healthy} of {endpoints} endpoints of {pool} became healthy.")

    async def wait_quiet(self, pool: str, *, timeout: float) -> bool:
        return pool not in self.busy


def _used(route: model.Route) -> set[str]:
    return {share.pool for share in route.shares if share.per_mille}


class PlainFolder:
    """A private folder: by its mode alone, or another user's."""

    def __init__(self, folder: pathlib.Path, *, user: int = -1) -> None:
        self._folder = folder
        self._user = user

    async def folder(self) -> pathlib.Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(self._folder, self._user, -1)
        return self._folder

    async def write(self, path: str, data: bytes) -> None:
        draft = await self.folder() / f".{path}"
        draft.write_bytes(data)
        draft.chmod(0o600)
        os.chown(draft, self._user, -1)
        draft.replace(self._folder / path)

    async def remove(self, path: str) -> None:
        (self._folder / path).unlink(missing_ok=True)
