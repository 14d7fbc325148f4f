"""What the rest of Shipway may ask of the edge, and what the edge asks of the rest."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Protocol

from shipway.edge.model import PoolHealth, Table


class Edge(Protocol):
    """Serves a table of routes. Drivers: Envoy."""

    async def apply(self, table: Table) -> None:
        """Make the table true and return once the edge has taken it. May be repeated.

        No request is dropped: pools are added before routes turn to them and removed after.
        Raises `errors.Invalid` when the table contradicts itself, `errors.Failed` when the edge
        refuses it or a host would turn to a pool without a healthy endpoint (the old table stays
        in force), and `errors.Unavailable` when it does not answer in time.
        """

    async def pools(self) -> Sequence[PoolHealth]:
        """Observe every pool that the edge knows."""

    async def wait_healthy(self, pool: str, *, endpoints: int, timeout: float) -> None:
        """Return when so many endpoints of the pool are healthy. Raises `errors.Failed`."""

    async def wait_quiet(self, pool: str, *, timeout: float) -> bool:
        """Return True when the pool has no request under way, False when time ran out."""


class Private(Protocol):
    """A folder that only the edge may read, for its keys. Whoever wires the edge provides it."""

    async def folder(self) -> pathlib.Path:
        """Return the folder, as the edge sees it. Makes it if it is missing."""

    async def write(self, path: str, data: bytes) -> None:
        """Put a file into it, whole or not at all."""

    async def remove(self, path: str) -> None:
        """Remove a file from it. May be repeated."""
