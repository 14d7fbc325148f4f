"""What can be killed of a platform, and how it is found: never anything of another's."""

from __future__ import annotations

import enum
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from demo.stage import Stage


class Role(enum.StrEnum):
    """The processes of one service."""

    PROCESS = "the process"
    SUPERVISOR = "the supervisor"
    LOG = "the log"
    LOG_SUPERVISOR = "the log's supervisor"


@dataclass(frozen=True)
class Part:
    """One process that may be killed. ``service`` is the beginning of a service's name."""

    service: str
    role: Role

    def __str__(self) -> str:
        return f"{self.role} of {self.service}"


ROOT = Part("s6", Role.PROCESS)
"""The root of the tree, which is no service of it."""

EDGE = Part("edge", Role.PROCESS)
PLATFORM = ("api", "intake", "steward", "edge", "store")
"""The services of Shipway's own, but for the worker, which is the test's."""

APP = ("server.tiny.production", "cluster.tiny.production")
KEEPING = (Role.SUPERVISOR, Role.LOG, Role.LOG_SUPERVISOR)

DATABASE = Part(APP[1], Role.SUPERVISOR)
ENDED_AS_ORPHANS = (Part("edge", Role.SUPERVISOR), DATABASE)
"""Their processes serve users, and are ended before others can take their place."""

PARTS = (
    ROOT,
    *(Part(service, Role.PROCESS) for service in PLATFORM),
    *(Part(service, role) for service in (*PLATFORM, *APP) for role in KEEPING),
)
"""Every part of Shipway, and every s6 process. What an app's own death does is told elsewhere."""


def find(part: Part, stage: Stage) -> psutil.Process | None:
    """Return the process of a part, or None while there is none: it died already.

    Only what hangs below a supervisor of this very platform is found: its folder tells.
    """
    tree = pathlib.Path(os.path.realpath(stage.shipway_home)) / "services"
    if part == ROOT:
        return next((one for one in named("s6-svscan") if folder_of(one) == tree), None)
    of_log = part.role in {Role.LOG, Role.LOG_SUPERVISOR}
    supervisors = {
        folder: one
        for one in named("s6-supervise")
        if (folder := folder_of(one))
        and folder.is_relative_to(tree)
        and (folder.name == "log") == of_log
        and (folder.parent if of_log else folder).name.startswith(part.service)
    }
    if not supervisors:
        return None
    supervisor = supervisors[min(supervisors)]
    if part.role in {Role.SUPERVISOR, Role.LOG_SUPERVISOR}:
        return supervisor
    return next((one for one in children(supervisor) if _serves(one)), None)


def children(process: psutil.Process) -> list[psutil.Process]:
    """Return the children of a process: none when it is gone."""
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _serves(process: psutil.Process) -> bool:
    """Whether it is still there, and what the supervisor keeps: what runs after a death, before
    the next start, is no part of anything."""
    try:
        return process.name() != "finish" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def named(program: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name", "status"]):
        if process.info["name"] == program and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process


def folder_of(process: psutil.Process) -> pathlib.Path | None:
    try:
        return pathlib.Path(process.cwd())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def kill(process: psutil.Process) -> bool:
    """Send SIGKILL. False when it was dead already."""
    assert process.pid > 1
    try:
        process.kill()  # looks first whether the number still belongs to this very process
    except psutil.NoSuchProcess:
        return False
    return True
