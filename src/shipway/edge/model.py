"""Routes, shares and endpoints as plain data. A table says all that the edge should do."""

from __future__ import annotations

import collections
import fractions
import ipaddress
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shipway.kit import errors

WHOLE = 1000
"""Shares are per mille: the shares of a route add up to this."""


_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_POOL = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}")
_HEADER = re.compile(r"x-shipway-[a-z0-9-]{1,60}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_PATH = re.compile(r"(/[\x21-\x7e]*)?")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The endpoints of one release in one environment, or of a part of Shipway.

    ``name`` is unique in the table: ``aios.production.rel_01jd…`` or ``shipway.intake``.
    ``endpoints`` are ``address:port``. ``health_path`` is asked every second; an empty one means
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
    ``timeout_seconds`` bounds silence, not length: a request ends when nothing has moved in
    either direction for so long; 0 lets it be silent for ever.
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


def split(weights: Sequence[float]) -> tuple[int, ...]:
    """Return per-mille shares in the proportion of the weights; they add up to 1000.

    Largest remainders, ties to the earlier one. A greater weight never gets less than a smaller
    one, and nothing is given to a weight of zero. Raises `errors.Invalid` when a weight is
    negative or not finite, or when all are zero.
    """
    try:
        exact = [fractions.Fraction(weight) for weight in weights]
    except (ValueError, OverflowError) as error:
        raise errors.Invalid("A weight must be a finite number.") from error
    total = sum(exact)
    if any(weight < 0 for weight in exact) or total == 0:
        raise errors.Invalid("Weights must not be negative, and one must be above zero.")
    quotas = [weight * WHOLE / total for weight in exact]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda at: (shares[at] - quotas[at], at))
    for at in by_remainder[: WHOLE - sum(shares)]:
        shares[at] += 1
    return tuple(shares)


def check(table: Table) -> None:
    """Raise `errors.Invalid` with every way in which the table contradicts itself."""
    problems = tuple(
        itertools.chain(
            _repeated("pool", (pool.name for pool in table.pools)),
            _repeated("host", (route.host for route in table.routes)),
            *(_pool_problems(pool) for pool in table.pools),
            *(_route_problems(route, {p.name for p in table.pools}) for route in table.routes),
        )
    )
    if problems:
        raise errors.Invalid("The edge cannot serve this table.", problems=problems)


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in collections.Counter(names).items():
        if count > 1:
            yield f"The {what} {name!r} stands {count} times in it."


def _pool_problems(pool: Pool) -> Iterator[str]:
    if not _POOL.fullmatch(pool.name):
        yield f"{pool.name!r} is no name for a pool."
    if not _PATH.fullmatch(pool.health_path):
        yield f"The health path {pool.health_path!r} of pool {pool.name} is not a path."
    for endpoint in pool.endpoints:
        if not _is_endpoint(endpoint):
            yield f"The endpoint {endpoint!r} of pool {pool.name} is not address:port."


def _is_endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return port.isascii() and port.isdecimal() and 0 < int(port) < 65536


def _route_problems(route: Route, pools: set[str]) -> Iterator[str]:
    if not _HOST.fullmatch(route.host):
        yield f"{route.host!r} is not the name of a host in lower case."
    if route.minimum_tls not in {"1.2", "1.3"}:
        yield f"The minimum TLS version of {route.host} is {route.minimum_tls!r}, not 1.2 or 1.3."
    if not 0 <= route.timeout_seconds < math.inf:
        yield f"The time-out of {route.host} is {route.timeout_seconds:g} seconds."
    yield from _share_problems(route, pools)


def _share_problems(route: Route, pools: set[str]) -> Iterator[str]:
    shares = [share.per_mille for share in route.shares]
    if min(shares, default=0) < 0 or sum(shares) != WHOLE:
        yield f"The shares of {route.host} are {shares}, which do not add up to {WHOLE}."
    for share in route.shares:
        if share.pool not in pools:
            yield f"{route.host} goes to the pool {share.pool!r}, which is not there."
        for name, value in share.headers.items():
            if not (_HEADER.fullmatch(name) and _VALUE.fullmatch(value)):
                yield f"{route.host} tells {name!r}: only printable x-shipway-* headers can be told."
