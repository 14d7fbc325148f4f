"""What the rest of Shipway may ask of the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shipway.edge.model import PoolHealth, Table


class Edge(Protocol):
    """Serves a table of routes. Drivers: Envoy."""

    async def apply(self, table: Table) -> None:
        """Make the table true and return once the edge has taken it. May be repeated.

        No request is dropped: pools are added before routes turn to them and removed after.
        Raises `errors.Failed` when the edge refuses it (the old table stays in force), and
        `errors.Unavailable` when it does not answer in time.
        """

    async def pools(self) -> Sequence[PoolHealth]:
        """Observe every pool that the edge knows."""

    async def wait_healthy(self, pool: str, *, endpoints: int, timeout: float) -> None:
        """Return when so many endpoints of the pool are healthy. Raises `errors.Failed`."""

    async def wait_quiet(self, pool: str, *, timeout: float) -> bool:
        """Return True when the pool has no request under way, False when time ran out."""
