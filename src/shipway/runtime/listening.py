"""Who listens on a port of this machine: nobody, the one who should, or somebody else."""

from __future__ import annotations

import contextlib
import pathlib
import socket
from collections.abc import Mapping

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
    """Return the OS users whose processes listen, by port (proc(5), /proc/net/tcp)."""
    found: dict[int, frozenset[int]] = {}
    for table in _TABLES:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, user, *_ = line.split()
                if state == _LISTENING:
                    port = int(local.rpartition(":")[2], 16)
                    found[port] = found.get(port, frozenset()) | {int(user)}
    return found
