"""Who listens on a port of this machine: nobody, the one who should, or somebody else."""

from __future__ import annotations

import contextlib
import pathlib
import socket
from collections.abc import Iterator, Mapping

LOOPBACK = "127.0.0.1"

_TABLES = (pathlib.Path("/proc/net/tcp"), pathlib.Path("/proc/net/tcp6"))
_LISTENING = "0A"


def is_free(port: int) -> bool:
    """Say whether one could listen there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def users() -> Mapping[int, frozenset[int]]:
    """Return the OS users whose processes listen, by port."""
    found: dict[int, frozenset[int]] = {}
    for port, user, _ in _listening():
        found[port] = found.get(port, frozenset()) | {user}
    return found


def sockets_at(port: int) -> frozenset[str]:
    """Return the sockets that listen there, as /proc/PID/fd names them."""
    return frozenset(f"socket:[{number}]" for at, _, number in _listening() if at == port)


def _listening() -> Iterator[tuple[int, int, str]]:
    """Tell port, user and number of each socket that listens (proc(5), /proc/net/tcp)."""
    for table in _TABLES:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, user, _, number, *_ = line.split()
                if state == _LISTENING:
                    yield int(local.rpartition(":")[2], 16), int(user), number
