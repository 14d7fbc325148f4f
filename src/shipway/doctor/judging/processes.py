"""What runs: services, processes that nobody looks after, ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipway.doctor import findings
from shipway.doctor.findings import Finding

MANY_RESTARTS = 3


@dataclass(frozen=True, kw_only=True)
class Part:
    """A service that is kept. ``expected`` ones are Shipway's own."""

    name: str
    up: bool
    wanted_up: bool
    restarts: int
    orphans: tuple[int, ...] = ()


def parts(seen: Sequence[Part], own: Sequence[str]) -> list[Finding]:
    """Judge what is kept: Shipway's own services, by name, and those of apps."""
    known = {one.name for one in seen}
    found = [
        findings.wrong("services", f"{name} is not kept.", "Run `shipway up`.")
        for name in own
        if name not in known
    ]
    for one in seen:
        see = f"Its log: logs/services/{one.name}/current below SHIPWAY_HOME."
        if not one.up:
            how = "is down" if one.wanted_up else "was stopped"
            found.append(
                findings.wrong("services", f"{one.name} {how}.", f"Run `shipway up`. {see}")
            )
        elif one.restarts >= MANY_RESTARTS:
            told = f"{one.name} has died {one.restarts} times."
            found.append(findings.doubtful("services", told, f"Find out why. {see}"))
        if one.orphans:
            told = f"{one.name} runs as {findings.listed(one.orphans)}, which no supervisor looks after."
            mend = "The worker replaces it within a minute; is the worker up?"
            found.append(findings.wrong("services", told, mend))
    return found or [
        findings.fine("services", f"All {len(seen)} are up, none restarts again and again.")
    ]


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A process of one of our users that no service and no task accounts for."""

    pid: int
    user: str
    line: str


def strays(seen: Sequence[Stray]) -> list[Finding]:
    """Judge processes that nobody looks after."""
    found = [
        findings.wrong(
            "orphans",
            f"Process {one.pid} of {one.user} is looked after by nobody: {one.line}",
            f"If `ps -o etime,args -p {one.pid}` shows nothing of use: kill {one.pid}",
        )
        for one in seen
    ]
    return found or [findings.fine("orphans", "Every process of Shipway's users is looked after.")]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port, the service that should have it, whether that is up, and who has it.

    ``holder`` is empty when nobody listens; ``ours`` says that the holder is the service.
    """

    number: int
    service: str
    up: bool
    holder: str = ""
    ours: bool = False


def ports(seen: Sequence[Port], overlap: str = "") -> list[Finding]:
    """Judge who listens where. ``overlap`` names the range that the system gives out, if it
    meets the one of the instances."""
    found = []
    for one in seen:
        if one.holder and not one.ours:
            told = f"Port {one.number}, which {one.service} needs, is held by {one.holder}."
            mend = "End that, or give another port in settings.toml."
            found.append(findings.wrong("ports", told, mend))
        elif one.up and not one.holder:
            told = f"{one.service} is up and does not listen on port {one.number}."
            found.append(findings.wrong("ports", told, f"See the log of {one.service}."))
    if overlap:
        told = f"The ports of instances overlap those that the system gives to anybody: {overlap}."
        found.append(
            findings.doubtful("ports", told, "Set instance_ports in settings.toml apart from it.")
        )
    return found or [
        findings.fine(
            "ports", f"{findings.listed(one.number for one in seen)} are as they should be."
        )
    ]
