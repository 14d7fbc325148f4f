"""Ports of this machine: which are taken, by whom, and how others on the network call us."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import sys

from shipway.kit import command, errors

_PATIENCE = 2.0
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_EXPO = ("api.expo.dev", 443)

_ASK_WHO = (
    # The program, its arguments for a port, and what its answer says.
    ("lsof", ("-nP", "-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"), re.compile(r"p(?P<pid>\d+)\nc(?P<name>.+)")),
    ("ss", ("-Hltnp", "sport = :{port}"), re.compile(r'\(\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')),
)  # fmt: skip


async def demand_free(port: int, what: str, flag: str) -> None:
    """Raise `errors.Conflict`, with who has it and the flag for another, when a port is taken."""
    if not (await _answers("127.0.0.1", port) or await _answers("::1", port)):
        return
    who = await _holder(port)
    fix = f"End that, or give another port: shipway dev {flag} {port + 1}"
    if sys.platform == "darwin" and port in {5000, 7000}:
        fix += ". On macOS it may be the AirPlay Receiver (System Settings, AirDrop & Handoff)"
    raise errors.Conflict(f"Port {port}, for {what}, is in use{who}.", fix=f"{fix}.")


async def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False


async def _holder(port: int) -> str:
    """Return ` by NAME (process N)`, or nothing where nobody can tell."""
    for program, arguments, answer in _ASK_WHO:
        if not shutil.which(program):
            continue
        asked = command.Command(
            argv=(program, *(word.format(port=port) for word in arguments)),
            env=command.base_environment(),
            timeout=10,
        )
        with contextlib.suppress(errors.ShipwayError):
            if found := answer.search((await command.run(asked, check=False)).output):
                return f" by {found['name']} (process {found['pid']})"
    return ""


def free(preferred: int = 0) -> int:
    """Return a port of loopback that is free now: the preferred one if it is."""
    for port in (preferred, 0):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return int(tried.getsockname()[1])
    raise errors.Unavailable("This machine has no free port left.")


def lan_address() -> str:
    """Return this machine's address on its network. Raises `errors.Unavailable`."""
    if chosen := command.inherited("REACT_NATIVE_PACKAGER_HOSTNAME"):
        return chosen["REACT_NATIVE_PACKAGER_HOSTNAME"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        # Nothing is sent: the system only says from which address it would be (RFC 5737 names).
        asked.connect(("192.0.2.1", 9))
        address = str(asked.getsockname()[0])
        if not address.startswith(("127.", "0.")):
            return address
    raise errors.Unavailable(
        "This machine is on no network, so no phone can reach it.",
        fix="Join one, or give the address in REACT_NATIVE_PACKAGER_HOSTNAME.",
    )


async def is_online() -> bool:
    """Whether Expo's own server can be reached: otherwise its command line is told not to try."""
    if command.inherited(*_PROXIES):
        return True
    return await _answers(*_EXPO)
