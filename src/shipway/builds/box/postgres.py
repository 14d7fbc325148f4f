"""A PostgreSQL for one step: gone with the step, forgetful on purpose.

It is found by its socket, or by a port of the step's own network: what shares the machine's must
not have one, since nobody is asked for a password.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from . import program

PLACES = ("/usr/lib/postgresql", "/box/tools/postgresql")
"""Folders of versions, each with a ``bin``."""

SOCKETS = pathlib.Path("/tmp/postgres")  # noqa: S108 -- the sandbox's own /tmp; socket paths must be short
LOOPBACK = "127.0.0.1"
DATABASE = "app"

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class Throwaway:
    """A running cluster. ``pid`` is the postmaster's; ``host`` a folder or an address."""

    pid: int
    host: str

    def address(self, form: str = "") -> str:
        """Return the address of the database, in the form that the app wants (`shipway.toml`)."""
        parts = {"user": "postgres", "password": "", "host": self.host, "port": "5432"}
        usual = (
            "@/{database}?host={host}" if self.host == str(SOCKETS) else "@{host}:{port}/{database}"
        )
        written = form or f"postgresql://{{user}}{usual}"
        for name, value in {**parts, "database": DATABASE}.items():
            written = written.replace(f"{{{name}}}", value)
        return written


@contextlib.contextmanager
def running(scratch: pathlib.Path, *, by_port: bool = False) -> Iterator[Throwaway]:
    """Have a fresh cluster with one empty database, owned by a superuser without password.

    Raises `program.StepFailed` when there is no PostgreSQL or it does not start.
    """
    programs = find()
    data = scratch / "postgres"
    SOCKETS.mkdir(parents=True, exist_ok=True)
    quiet = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    program.output_of((str(programs / "initdb"), "-D", str(data), *quiet), scratch)
    listening = {"listen_addresses": LOOPBACK if by_port else ""}
    settings = " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, **listening}.items())
    control = (str(programs / "pg_ctl"), "-D", str(data))
    log = ("-l", str(scratch / "postgres.log"))
    program.output_of((*control, "start", "-w", *log, "-o", f"-k {SOCKETS} {settings}"), scratch)
    try:
        address = ("-h", str(SOCKETS), "-U", "postgres")
        program.output_of((str(programs / "createdb"), *address, DATABASE), scratch)
        pid = int((data / "postmaster.pid").read_text().split()[0])
        yield Throwaway(pid=pid, host=LOOPBACK if by_port else str(SOCKETS))
    finally:
        program.output_of((*control, "stop", "-w", "-m", "immediate"), scratch)


def find() -> pathlib.Path:
    """Return the folder of the newest PostgreSQL's programs. Raises `program.StepFailed`."""
    found = [
        folder
        for place in PLACES
        for folder in pathlib.Path(place).glob("*/bin")
        if (folder / "initdb").exists()
    ]
    if found:
        return max(found, key=lambda folder: _version(folder.parent.name))
    if path := shutil.which("initdb"):
        return pathlib.Path(path).parent
    raise program.StepFailed(
        "This step needs PostgreSQL, and the machine has none: apt-get install postgresql."
    )


def _version(name: str) -> float:
    with contextlib.suppress(ValueError):
        return float(name)
    return 0.0
