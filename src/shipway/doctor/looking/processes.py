"""Looks at what runs: the services that the steward keeps, processes of our users, ports."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import psutil

from shipway.doctor.judging import processes
from shipway.kit.settings import Settings
from shipway.runtime.model import Kind, Observed

OWN = ("store", *(kind.value for kind in (Kind.API, Kind.WORKER, Kind.INTAKE, Kind.EDGE)))
"""The services that a whole Shipway has, besides the steward."""

_SUPERVISORS = frozenset({"s6-supervise", "s6-svscan", "s6-log"})
_SYSTEM_RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def parts(observed: Iterable[Observed]) -> list[processes.Part]:
    return [
        processes.Part(
            name=one.name,
            up=one.up,
            wanted_up=one.wanted_up,
            restarts=one.restarts,
            orphans=one.orphans,
        )
        for one in observed
    ]


def strays(users: Mapping[int, str], observed: Sequence[Observed]) -> list[processes.Stray]:
    """Return the processes of these users (ids to names) that come from no supervisor.

    What the steward runs for the moment comes from the steward, which has one.
    """
    known = {one.pid for one in observed} | {pid for one in observed for pid in one.orphans}
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.uids().real not in users or one.status() == psutil.STATUS_ZOMBIE:
                continue
            line = [one, *one.parents()]
            if not any(each.pid in known or each.name() in _SUPERVISORS for each in line):
                words = " ".join(one.cmdline())[:120]
                found.append(processes.Stray(pid=one.pid, user=users[one.uids().real], line=words))
    return found


def ports(settings: Settings, observed: Sequence[Observed]) -> list[processes.Port]:
    """Return each port of Shipway's own with who listens there. Only root learns everybody."""
    wanted = (
        (settings.api_port, Kind.API),
        (settings.intake_port, Kind.INTAKE),
        (settings.http_port, Kind.EDGE),
        (settings.https_port, Kind.EDGE),
    )
    services = {one.name: one for one in observed}
    listening = _listening()
    seen = []
    for number, kind in wanted:
        service = services.get(kind.value)
        up = bool(service and service.up)
        pids = listening.get(number, set())
        ours = any(_comes_from(pid, service.pid if service else 0) for pid in pids)
        holder = ", ".join(sorted(_named(pid) for pid in pids))
        seen.append(
            processes.Port(number=number, service=kind.value, up=up, holder=holder, ours=ours)
        )
    return seen


def overlap(settings: Settings) -> str:
    """Return the range of ports that the system gives to anybody, if it meets the instances'."""
    with contextlib.suppress(OSError, ValueError):
        first, last = map(int, _SYSTEM_RANGE.read_text().split())
        if settings.instance_ports[0] <= last and first <= settings.instance_ports[1]:
            return f"{first} to {last}"
    return ""


def _listening() -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr:
            found.setdefault(one.laddr.port, set()).add(one.pid or 0)
    return found


def _comes_from(pid: int, ancestor: int) -> bool:
    if not pid or not ancestor:
        return False
    with contextlib.suppress(psutil.Error):
        return ancestor in {pid, *(one.pid for one in psutil.Process(pid).parents())}
    return False


def _named(pid: int) -> str:
    if pid:
        with contextlib.suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (process {pid})"
    return "a process of another user"
