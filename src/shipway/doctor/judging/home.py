"""SHIPWAY_HOME: whose things are, what is left, and how long certificates last."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shipway.doctor import findings
from shipway.doctor.findings import Finding, Remedy, Weight


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder or file as it is (None: not there) and as it should be."""

    path: str
    wanted: tuple[int, int, int]
    """User, group, mode; -1 for a user or group that is missing."""
    found: tuple[int, int, int] | None


def places(seen: Sequence[Place]) -> list[Finding]:
    """Judge owners and modes below SHIPWAY_HOME."""
    found = [finding for place in seen for finding in _place(place)]
    return found or [
        findings.fine("permissions", f"{len(seen)} folders and keys belong to whom they should.")
    ]


def _place(place: Place) -> Iterable[Finding]:
    if place.found is None:
        yield findings.wrong("permissions", f"{place.path} is missing.", "Run `shipway up`.")
        return
    uid, gid, mode = place.wanted
    if -1 in {uid, gid}:
        told = f"Whoever {place.path} should belong to is no user or group here."
        yield findings.wrong("permissions", told, "Run `shipway up`, which makes them.")
        return
    if place.found[:2] != (uid, gid):
        has = f"{place.path} belongs to {place.found[0]}:{place.found[1]}, not to {uid}:{gid}."
        remedy = Remedy(kind="owner", target=place.path, uid=uid, gid=gid, mode=mode)
        yield findings.wrong("permissions", has, f"chown {uid}:{gid} {place.path}", remedy)
    if place.found[2] != mode:
        has = f"{place.path} has mode {place.found[2]:04o}, not {mode:04o}."
        remedy = Remedy(kind="mode", target=place.path, mode=mode)
        yield findings.wrong("permissions", has, f"chmod {mode:04o} {place.path}", remedy)


def closed_way(home: pathlib.PurePath, closed: Sequence[str]) -> list[Finding]:
    """Judge the folders above SHIPWAY_HOME that other users cannot walk through."""
    if not closed:
        return []
    mend = f"chmod o+x {findings.listed(closed)}, or move {home} to /var/lib."
    return [
        findings.wrong(
            "permissions",
            f"Shipway's own users cannot walk through {findings.listed(closed)}.",
            mend,
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Account:
    """An OS user of a Shipway: its home folder is an owner's below that Shipway's home."""

    name: str
    folder: str
    ours: bool
    folder_exists: bool
    processes: int = 0


def accounts(seen: Sequence[Account], missing: Sequence[str]) -> list[Finding]:
    """Judge users: those of owners that are gone, and owners whose users are."""
    found = [
        findings.wrong(
            "users", f"{slug} has a folder and no OS user.", "Run `shipway up`, then deploy it."
        )
        for slug in missing
    ]
    gone = [one for one in seen if not one.folder_exists]
    for one in gone:
        if one.ours and not one.processes:
            told = f"The user {one.name} is left from {one.folder}, which is gone."
            remedy = Remedy(kind="user", target=one.name)
            found.append(findings.doubtful("users", told, f"userdel {one.name}", remedy))
        elif one.ours:
            told = f"{one.processes} processes run as {one.name}, whose folder is gone."
            found.append(findings.wrong("users", told, f"ps -u {one.name}, and end them."))
    if others := [one.name for one in gone if not one.ours]:
        told = (
            f"Left from another SHIPWAY_HOME, {len(others)} in all: {findings.listed(others, 3)}."
        )
        found.append(
            findings.doubtful("users", told, "If that is gone for good: userdel, one by one.")
        )
    return found or [findings.fine("users", f"{len(seen)} users, each with its folder.")]


SINGLE_USER = (
    "As one user, servers, builds and Shipway itself can read one another's files and keys.",
    "Without root the edge cannot listen below port 1024, unless the system allows it.",
)


def single_user(name: str) -> list[Finding]:
    """Say what is given up where nobody is root."""
    first = f"Everything runs as {name}. `sudo shipway up` gives each part a user of its own."
    return [
        Finding(part="users", weight=Weight.GIVEN_UP, sentence=sentence)
        for sentence in (first, *SINGLE_USER)
    ]


SOON_DAYS = 14
AUTHORITY_SOON_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate, and in how many days it ends. ``hosts`` are empty for the authority."""

    hosts: tuple[str, ...]
    days: float


def certificates(seen: Sequence[Certificate]) -> list[Finding]:
    """Judge when certificates end. The worker renews a leaf 30 days before."""
    found = []
    for one in seen:
        name = (
            f"The certificate of {findings.listed(one.hosts, 3)}" if one.hosts else "The authority"
        )
        mend = (
            "The worker renews it at its next start: shipway down, then shipway up."
            if one.hosts
            else "Move the folder ca away, run `shipway up`, and have clients trust the new one."
        )
        if one.days <= 0:
            found.append(
                findings.wrong("certificates", f"{name} ended {-one.days:.0f} days ago.", mend)
            )
        elif one.days < (SOON_DAYS if one.hosts else AUTHORITY_SOON_DAYS):
            found.append(
                findings.doubtful("certificates", f"{name} ends in {one.days:.0f} days.", mend)
            )
    if not found:
        soonest = min((one.days for one in seen), default=0.0)
        found.append(
            findings.fine(
                "certificates", f"{len(seen)} are good, the next ends in {soonest:.0f} days."
            )
            if seen
            else findings.fine("certificates", "None has been asked for yet.")
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that nothing needs any more. ``safe`` ones hold nothing but what can be made
    again; ``kind`` is that of its remedy."""

    path: str
    why: str
    safe: bool
    kind: Literal["folder", "group"] = "folder"


def leftovers(seen: Sequence[Leftover]) -> list[Finding]:
    """Judge what dead runs, removed apps and killed processes have left."""
    found = []
    for one in seen:
        remedy = Remedy(kind=one.kind, target=one.path) if one.safe else None
        tool = "rmdir" if one.kind == "group" else "rm -r"
        mend = f"{tool} {one.path}" if one.safe else f"It holds data: look before {tool} {one.path}"
        found.append(findings.doubtful("leftovers", f"{one.path}: {one.why}.", mend, remedy))
    return found or [findings.fine("leftovers", "Nothing is left of dead runs or removed apps.")]
