"""Routes, shares and endpoints as plain data. A table says all that the edge should do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WHOLE = 1000
"""Shares are per mille: the shares of a route add up to this."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The endpoints of one release in one environment, or of a part of Shipway.

    ``name`` is unique in the table: ``aios.production.rel_01jd…`` or ``shipway.intake``.
    ``endpoints`` are ``host:port``. ``health_path`` is asked every second; an empty one means
    that the endpoints are always taken as healthy.
    """

    name: str
    endpoints: tuple[str, ...]
    health_path: str = ""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of a route's traffic that goes to one pool, with headers told to it."""

    pool: str
    per_mille: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A host and where it goes. The per-mille of ``shares`` add up to 1000.

    ``tls`` False serves plain HTTP only; True serves HTTPS, and plain HTTP is redirected.
    ``hsts`` adds Strict-Transport-Security; ``minimum_tls`` is ``"1.2"`` or ``"1.3"``.
    """

    host: str
    shares: tuple[Share, ...]
    tls: bool = True
    hsts: bool = False
    minimum_tls: str = "1.2"
    timeout_seconds: float = 60.0


@dataclass(frozen=True)
class Table:
    """Everything that the edge serves. Names of pools and hosts are unique."""

    routes: tuple[Route, ...] = ()
    pools: tuple[Pool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PoolHealth:
    """A pool as the edge sees it now."""

    name: str
    healthy: tuple[str, ...]
    unhealthy: tuple[str, ...]
    active_requests: int
    total_requests: int
    failed_requests: int
    """Answers of status 5xx, among ``total_requests``; both count since the edge started."""
