"""Processes that something has left behind, out of its supervisor's sight.

A server may start a child in a session of its own, which keeps the port when the server dies:
its successor cannot listen there, and dies again and again. What archives for PostgreSQL in the
background outlives it for a while too.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import psutil

from shipway.runtime import listening
from shipway.runtime.drivers import processes

_PROC = pathlib.Path("/proc")


def at(port: int, *, uid: int, pid: int) -> list[processes.Process]:
    """Return the processes of a user that listen on a port with an environment which says so,
    besides the process ``pid`` (0: none) and what is below it."""
    if uid not in listening.users().get(port, ()):
        return []
    family = {pid, *_below(pid)}
    sockets = listening.sockets_at(port)
    found = (
        processes.identify(one)
        for one in _of_user(uid)
        if one not in family and _holds(one, sockets) and _was_given(one, port)
    )
    return [one for one in found if one]


def of_user(uid: int) -> list[processes.Process]:
    """Return every process of a user."""
    return [one for one in map(processes.identify, _of_user(uid)) if one]


def _of_user(uid: int) -> Iterator[int]:
    for folder in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and folder.stat().st_uid == uid:
                yield int(folder.name)


def _below(pid: int) -> set[int]:
    with contextlib.suppress(psutil.Error):
        return {one.pid for one in psutil.Process(pid).children(recursive=True)} if pid else set()
    return set()


def _holds(pid: int, sockets: frozenset[str]) -> bool:
    with contextlib.suppress(OSError):
        for file in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(file.readlink()) in sockets:
                    return True
    return False


def _was_given(pid: int, port: int) -> bool:
    """Say whether a process was started with this port: as one user everything is of ours."""
    with contextlib.suppress(OSError):
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        return any(one.endswith(f"={port}".encode()) for one in variables)
    return False
