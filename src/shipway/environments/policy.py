"""What each environment demands, and what an app's departures from it amount to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shipway.appfile.model import PolicyOverrides, Product
from shipway.kit import errors

ENVIRONMENTS = ("development", "staging", "production")

BACKUPS = ("none", "daily", "continuous")
"""From the weakest to the strongest."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The values that parts of Shipway enforce.

    ``rollout`` holds the shares, in per cent, by which a release enters. With ``approve_own``
    off, authors approve their own change only where nobody else could. With ``rehearse`` a
    migration runs on a copy first, and may keep nobody waiting there for longer than
    ``migration_lock_ms``.
    """

    instances: int
    tls: bool
    minimum_tls: str
    hsts: bool
    approvals: int
    approve_own: bool
    rollout: tuple[int, ...]
    backups: str = "none"
    rehearse: bool
    migration_lock_ms: int


@dataclass(frozen=True, kw_only=True)
class PolicyInForce:
    """A policy with a sentence for each value that is weaker than the default."""

    policy: Policy
    weaker: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the default policy. What no part enforces yet is never displayed."""

    name: str
    development: Any
    staging: Any
    production: Any
    enforced: bool = True
    is_weaker: Callable[[Any, Any], bool] = lambda value, default: value < default


TABLE = (
    Row(name="instances", development=1, staging=1, production=2),
    Row(name="tls", development=False, staging=True, production=True),
    Row(name="minimum_tls", development="1.2", staging="1.2", production="1.3"),
    Row(name="hsts", development=False, staging=False, production=True),
    Row(name="approvals", development=0, staging=0, production=1),
    Row(
        name="approve_own",
        development=True,
        staging=True,
        production=False,
        is_weaker=lambda value, default: value > default,
    ),
    Row(
        name="rollout",
        development=(100,),
        staging=(100,),
        production=(100,),
        is_weaker=lambda value, default: value[0] > default[0],
    ),
    Row(name="rehearse", development=False, staging=False, production=True),
    Row(
        name="migration_lock_ms",
        development=500,
        staging=500,
        production=500,
        is_weaker=lambda value, default: value > default,
    ),
    Row(
        name="database",
        development="one local node",
        staging="one node",
        production="primary and replica, automatic failover",
        enforced=False,
    ),
    Row(name="autoscaling", development=False, staging=False, production=True, enforced=False),
    Row(name="waf", development="off", staging="detect", production="block", enforced=False),
    Row(name="rate_limit_per_minute", development=0, staging=1000, production=100, enforced=False),
    Row(
        name="cache",
        development="memory",
        staging="memory",
        production="redis and cdn",
        enforced=False,
    ),
    Row(
        name="backups",
        development="none",
        staging="daily",
        production="continuous",
        is_weaker=lambda value, default: BACKUPS.index(value) < BACKUPS.index(default),
    ),
    Row(
        name="monitoring",
        development="console",
        staging="checks",
        production="checks, objectives, burn-rate alerts",
        enforced=False,
    ),
    Row(
        name="errors",
        development="local",
        staging="tracked",
        production="tracked",
        enforced=False,
    ),
    Row(name="analytics_percent", development=0, staging=10, production=100, enforced=False),
)
"""The default policy, whole."""

_ENFORCED = tuple(row for row in TABLE if row.enforced)

DEFAULTS: Mapping[str, Policy] = {
    name: Policy(**{row.name: getattr(row, name) for row in _ENFORCED}) for name in ENVIRONMENTS
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One value of a policy as it is displayed."""

    name: str
    value: Any
    default: Any
    weaker: str = ""


def check_environment(name: str) -> str:
    """Return the name. Raises `errors.NotFound` when there is no such environment."""
    if name not in DEFAULTS:
        raise errors.NotFound(
            f"There is no environment {name!r}.", fix=f"Name one of {', '.join(ENVIRONMENTS)}."
        )
    return name


def in_force(
    environment: str, overrides: PolicyOverrides | None = None, reason: str = ""
) -> PolicyInForce:
    """Return the policy of an environment with an app's departures.

    ``reason`` replaces the one written beside the departures. Raises `errors.Invalid` when
    production becomes weaker than the default without any.
    """
    default = DEFAULTS[check_environment(environment)]
    given = overrides or PolicyOverrides()
    policy = dataclasses.replace(default, **_changes(given))
    why = reason or given.reason
    weaker = tuple(_weaker(environment, policy, default, why))
    if weaker and environment == "production" and not why.strip():
        raise errors.Invalid(
            "The policy of production is weaker than the default, without a reason.",
            problems=weaker,
            fix='Add reason = "…" to [environments.production.policy], or keep the default.',
        )
    return PolicyInForce(policy=policy, weaker=weaker)


def for_product(product: Product | None, environment: str) -> PolicyInForce:
    """Return the policy of an environment of an app, the default before its first file.

    Raises as `in_force`.
    """
    check_environment(environment)
    here = product.environments.get(environment) if product else None
    return in_force(environment, here.policy if here else None)


def _changes(overrides: PolicyOverrides) -> dict[str, Any]:
    given = {row.name: getattr(overrides, row.name) for row in _ENFORCED}
    return {name: value for name, value in given.items() if value is not None}


def _weaker(environment: str, policy: Policy, default: Policy, reason: str) -> Iterator[str]:
    because = f", because: {reason.strip()}" if reason.strip() else ""
    for row in _ENFORCED:
        value, usual = getattr(policy, row.name), getattr(default, row.name)
        if row.is_weaker(value, usual):
            yield (
                f"{environment} has {row.name} = {shown(value)}, weaker than the default "
                f"{shown(usual)}{because}"
            )


def weakened(environment: str, policy: Policy, in_force: Policy) -> tuple[str, ...]:
    """Return a sentence's beginning for each value that is weaker than the one in force."""
    return tuple(
        f"{environment} would have {row.name} = {shown(getattr(policy, row.name))}"
        f" instead of {shown(getattr(in_force, row.name))}"
        for row in _ENFORCED
        if row.is_weaker(getattr(policy, row.name), getattr(in_force, row.name))
    )


def display(environment: str, force: PolicyInForce) -> tuple[Line, ...]:
    """Return what is enforced in an environment, value by value."""
    default = DEFAULTS[check_environment(environment)]
    return tuple(
        Line(
            name=row.name,
            value=getattr(force.policy, row.name),
            default=getattr(default, row.name),
            weaker=next((s for s in force.weaker if f" has {row.name} = " in s), ""),
        )
        for row in _ENFORCED
    )


def shown(value: Any) -> str:
    """Write a value as `shipway.toml` would."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case _:
            return str(value)
