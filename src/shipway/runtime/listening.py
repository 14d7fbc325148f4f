"""Who listens on a port of this machine: nobody, the one who should, or somebody else."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping

LOOPBACK = "127.0.0.1"

_TABLES = (pathlib.Path("/proc/net/tcp"), pathlib.Path("/proc/net/tcp6"))
_LISTENING = 10
"""A socket's state (include/net/tcp_states.h)."""

_DIAG = 4
_ASK, _FAILED, _DONE = 20, 2, 3
_DUMP = 0x301
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
_TOLD = struct.Struct("=4x2s58xII")
"""Messages of sock_diag(7): their header, `inet_diag_req_v2`, and of `inet_diag_msg` the port, the
user and the inode."""
_ASK_SECONDS = 2.0
_ANSWER = 65536

_Listener = tuple[int, int, str]


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


def _listening() -> Iterable[_Listener]:
    """Tell port, user and number of each socket that listens."""
    try:
        return [one for family in (socket.AF_INET, socket.AF_INET6) for one in _asked(family)]
    except OSError:  # some containers have no such door
        return _read()


def _asked(family: int) -> Iterator[_Listener]:
    """Ask the kernel for those alone: its tables hold every connection, and take it a hundred
    times as long."""
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTENING)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _DIAG) as kernel:
        kernel.settimeout(_ASK_SECONDS)
        kernel.send(_HEADER.pack(_HEADER.size + len(request), _ASK, _DUMP, 1, 0) + request)
        while True:
            answer = kernel.recv(_ANSWER)
            while answer:
                size, kind, *_ = _HEADER.unpack_from(answer)
                if kind == _DONE:
                    return
                if kind == _FAILED:
                    raise OSError("the kernel does not tell of its sockets")
                port, user, number = _TOLD.unpack_from(answer, _HEADER.size)
                yield int.from_bytes(port, "big"), user, str(number)
                answer = answer[(size + 3) & ~3 :]


def _read() -> Iterator[_Listener]:
    """Read the tables (proc(5), /proc/net/tcp)."""
    for table in _TABLES:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, user, _, number, *_ = line.split()
                if int(state, 16) == _LISTENING:
                    yield int(local.rpartition(":")[2], 16), int(user), number
