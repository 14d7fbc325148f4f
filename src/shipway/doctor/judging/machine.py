"""The machine: its programs, its room and its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipway.doctor import findings
from shipway.doctor.findings import Finding, Weight


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that Shipway runs. ``version`` is empty where it was not to be learnt."""

    name: str
    package: str
    found: bool
    version: tuple[int, ...] = ()
    oldest: tuple[int, ...] = ()

    @property
    def told(self) -> str:
        version = ".".join(map(str, self.version))
        return f"{self.name} {version}".strip()


def programs(seen: Sequence[Program]) -> list[Finding]:
    """Judge the programs of this machine."""
    found = []
    for one in seen:
        if not one.found:
            mend = f"As root: apt-get install {one.package}"
            found.append(findings.wrong("programs", f"{one.name} is not installed.", mend))
        elif one.version and one.version < one.oldest:
            oldest = ".".join(map(str, one.oldest))
            sentence = f"{one.told} is too old: {oldest} or newer is needed."
            found.append(findings.wrong("programs", sentence, f"Install a newer {one.package}."))
    if not found:
        versions = findings.listed((one.told for one in seen if one.version), most=20)
        found.append(findings.fine("programs", f"All {len(seen)} are there: {versions}."))
    return found


GIB = 1024**3
FULL_BYTES, TIGHT_BYTES = GIB, 5 * GIB
FULL_SHARE, TIGHT_SHARE = 0.02, 0.1
TIGHT_MEMORY = GIB // 2
SKEW_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system. ``inodes`` are 0 where it counts none."""

    where: str
    free: int
    size: int
    inodes_free: int = 0
    inodes: int = 0


def disk(seen: Disk) -> list[Finding]:
    """Judge the room that is left."""
    share = seen.free / max(seen.size, 1)
    sentence = f"{seen.where} has {_gib(seen.free)} of {_gib(seen.size)} free."
    mend = f"Remove what is not needed: du -xh --max-depth 2 {seen.where} | sort -h"
    found = []
    if seen.free < FULL_BYTES or share < FULL_SHARE:
        found.append(findings.wrong("disk", sentence, mend))
    elif seen.free < TIGHT_BYTES or share < TIGHT_SHARE:
        found.append(findings.doubtful("disk", sentence, mend))
    if seen.inodes and seen.inodes_free / seen.inodes < TIGHT_SHARE / 2:
        told = f"{seen.where} has {seen.inodes_free} of {seen.inodes} inodes left."
        judge = (
            findings.wrong if seen.inodes_free / seen.inodes < FULL_SHARE / 2 else findings.doubtful
        )
        found.append(
            judge("disk", told, f"Many small files: du --inodes -x {seen.where} | sort -n")
        )
    return found or [findings.fine("disk", sentence)]


def builds(version: int, *, free: int, reserve: int) -> list[Finding]:
    """Judge what bounds builds: control groups of a version (0: none), and the disk's reserve."""
    if version:
        told = (
            f"Control groups (version {version}) bound the memory and processes of builds,"
            " which come behind the apps."
        )
        found = [findings.fine("builds", told)]
    else:
        told = (
            "There are no control groups for builds: limits hold for each process alone, and a"
            " build with too much memory is ended when that is seen, some moments later."
        )
        found = [Finding(part="builds", weight=Weight.GIVEN_UP, sentence=told)]
    if free < reserve:
        waits = f"Builds wait: {_gib(free)} are free, {_gib(reserve)} are needed."
        found.append(findings.wrong("builds", waits, "Make room: shipway housekeeping"))
    return found


def memory(available: int, size: int) -> Finding:
    """Judge the memory, in bytes."""
    sentence = f"{_gib(available)} of {_gib(size)} memory is available."
    if available < TIGHT_MEMORY:
        return findings.doubtful(
            "memory", sentence, "Add memory, or run fewer instances and builds."
        )
    return findings.fine("memory", sentence)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Differences from the system's clock, in seconds; None where there was nobody to ask.

    ``drift`` is how far the clock went while the monotonic one went by ``measured``, less that.
    ``ahead`` is how far the newest record lies in the future.
    """

    drift: float
    measured: float
    files: float
    database: float | None = None
    ahead: float | None = None


def clock(seen: Clock) -> list[Finding]:
    """Judge whether this machine's clocks agree."""
    mend = "Have one service keep the time: timedatectl set-ntp true"
    found = []
    if abs(seen.drift) > SKEW_SECONDS / 4:
        told = f"The clock went {seen.drift:+.2f} s astray within {seen.measured:.1f} s."
        found.append(findings.wrong("clock", told, mend))
    if abs(seen.files) > SKEW_SECONDS:
        told = f"The file system dates a new file {seen.files:+.1f} s from now."
        found.append(
            findings.wrong("clock", told, "Is it a network file system? Keep the time there too.")
        )
    if seen.database is not None and abs(seen.database) > SKEW_SECONDS:
        told = f"The database says a time {seen.database:+.1f} s from ours."
        found.append(findings.wrong("clock", told, mend))
    if seen.ahead is not None and seen.ahead > SKEW_SECONDS:
        told = f"The newest record is {seen.ahead:.0f} s in the future: the clock went back."
        found.append(findings.doubtful("clock", told, f"It passes by itself. {mend}"))
    return found or [findings.fine("clock", "System, file system and database agree on the time.")]
