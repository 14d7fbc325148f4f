"""The doctor's round: look at each part, judge it, and let no part that fails hide the others."""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import pwd
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import psycopg

from shipway.doctor import findings
from shipway.doctor.findings import Finding, Report
from shipway.doctor.judging import home as judging_home
from shipway.doctor.judging import machine as judging_machine
from shipway.doctor.judging import processes as judging_processes
from shipway.doctor.judging import records as judging_records
from shipway.doctor.looking import home as looking_home
from shipway.doctor.looking import machine as looking_machine
from shipway.doctor.looking import processes as looking_processes
from shipway.doctor.looking import records as looking_records
from shipway.kit import durable, errors
from shipway.kit.settings import Settings
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Observed

Look = Callable[[], Awaitable[Iterable[Finding]]]


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One Shipway, with what several looks need. ``observed`` and ``seen`` are None when the
    steward or the database does not answer."""

    settings: Settings
    home: pathlib.Path
    observed: Sequence[Observed] | None
    seen: looking_records.Seen | None
    trouble: tuple[Finding, ...] = ()


async def examine(settings: Settings) -> Report:
    """Look at every part. Raises `errors.Denied` for anybody but the one who keeps it."""
    home = settings.home.resolve()
    if not (home / "services").is_dir():
        never = findings.wrong("services", f"There is no Shipway in {home}.", "Run `shipway up`.")
        return Report(findings=(*await _looked("programs", _programs(home)), never))
    keeper = (home / "services").stat().st_uid
    if os.geteuid() != keeper:  # not even root: owners and modes are judged by who keeps it
        name = pwd.getpwuid(keeper).pw_name
        raise errors.Denied(
            f"The Shipway in {home} is kept by {name}.", fix=f"Run: sudo -u {name} shipway doctor"
        )
    patient = await _meet(settings, home)
    found = [finding for part, look in _round(patient) for finding in await _looked(part, look)]
    return Report(findings=(*patient.trouble, *found))


async def _meet(settings: Settings, home: pathlib.Path) -> Patient:
    trouble: list[Finding] = []
    observed: Sequence[Observed] | None = None
    seen = None
    try:
        observed = await SocketKeeper(settings.run / "steward.sock").services()
    except errors.ShipwayError as error:
        told = f"The steward does not answer: {error.what}"
        trouble.append(findings.wrong("services", told, "Run `shipway up`."))
    try:
        async with looking_records.opened(settings.database_url) as database:
            seen = await looking_records.look(database)
    except (errors.ShipwayError, psycopg.Error) as error:
        told = f"Shipway's own database cannot be asked: {error}"
        trouble.append(findings.wrong("database", told, "Run `shipway up`."))
    return Patient(
        settings=settings, home=home, observed=observed, seen=seen, trouble=tuple(trouble)
    )


async def _looked(part: str, look: Look) -> Iterable[Finding]:
    try:
        return await look()
    except (errors.ShipwayError, OSError, psycopg.Error) as error:
        told = f"It could not be looked at: {error}"
        return [findings.wrong(part, told, getattr(error, "fix", "") or "See to that first.")]


def _round(patient: Patient) -> list[tuple[str, Look]]:
    return [
        ("programs", _programs(patient.home)),
        ("disk", _machine(patient)),
        ("builds", _builds(patient)),
        ("permissions", _home(patient)),
        ("users", _users(patient)),
        ("services", _processes(patient)),
        ("certificates", _certificates(patient)),
        ("vault", _vault(patient)),
        ("database", _records(patient)),
        ("leftovers", _leftovers(patient)),
    ]


def _programs(home: pathlib.Path) -> Look:
    async def look() -> list[Finding]:
        return judging_machine.programs(await looking_machine.programs(home))

    return look


def _machine(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        seen = patient.seen
        clocks = await looking_machine.clocks(
            patient.home, seen.skew if seen else None, seen.ahead if seen else None
        )
        return [
            *judging_machine.disk(looking_machine.disk(patient.home)),
            judging_machine.memory(*looking_machine.memory()),
            *judging_machine.clock(clocks),
        ]

    return look


def _builds(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        if patient.observed is None:  # the steward makes the groups when it starts
            return []
        return judging_machine.builds(
            looking_machine.bounding(patient.home),
            free=looking_machine.disk(patient.home).free,
            reserve=patient.settings.disk_reserve_bytes,
        )

    return look


def _home(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        found = judging_home.places(looking_home.places(patient.home))
        if os.geteuid() == 0:
            closed = looking_home.closed_way(patient.home)
            found += judging_home.closed_way(patient.home, closed)
        return found

    return look


def _users(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        if os.geteuid() != 0:
            return judging_home.single_user(getpass.getuser())
        return judging_home.accounts(*looking_home.accounts(patient.home))

    return look


def _processes(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        observed = patient.observed or ()
        overlap = looking_processes.overlap(patient.settings)
        found = []
        if patient.observed is not None:
            parts = looking_processes.parts(observed)
            found += judging_processes.parts(parts, looking_processes.OWN)
        with contextlib.suppress(PermissionError):  # some systems tell root alone
            ports = looking_processes.ports(patient.settings, observed)
            found += judging_processes.ports(ports, overlap)
        if users := looking_home.users(patient.home):
            found += judging_processes.strays(looking_processes.strays(users, observed))
        return found

    return look


def _certificates(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        return judging_home.certificates(looking_home.certificates(patient.home))

    return look


def _vault(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        looking_home.try_vault(patient.home)
        return [findings.fine("vault", "What is sealed can be opened.")]

    return look


def _records(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        seen = patient.seen
        owners = looking_home.owners(patient.home)
        silent = judging_records.silent(await looking_records.silent(patient.home, owners))
        if seen is None:
            return silent
        return [
            *silent,
            judging_records.migrations(seen.missing, seen.refusal),
            *judging_records.unfinished(seen.unfinished, durable.VERSION),
            *judging_records.stranded(seen.stranded, told=[one.id for one in seen.unfinished]),
            *judging_records.deliveries(seen.given_up, seen.last_error),
        ]

    return look


def _leftovers(patient: Patient) -> Look:
    async def look() -> list[Finding]:
        seen = patient.seen
        apps, runs = (seen.apps, seen.active_runs) if seen else (None, None)
        return judging_home.leftovers(looking_home.leftovers(patient.home, apps, runs))

    return look
