"""What the rest of Shipway may ask of the machine: run this as that owner, keep this alive.

The steward is the only part that holds the rights to do it; the others hold a `Keeper` that
speaks to the steward over a Unix socket. Both pass ``tests/contracts/test_keeper.py``.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from shipway.runtime.model import Observed, Owner, Service, Task

OnLine = Callable[[str], None]


class Keeper(Protocol):
    """Runs tasks and keeps services, each as its owner."""

    async def provide(self, owner: Owner) -> pathlib.Path:
        """Make the owner's user and folder if missing, and return the folder. May be repeated.

        A STORE or CLUSTER also gets ``owner.sockets(home)``, owned by it and open (0755) to all:
        who may use the socket is decided by PostgreSQL. A CLUSTER also gets a folder for its
        backups, ``owner.slug`` below ``settings.backups``.
        """

    async def withdraw(self, owner: Owner) -> None:
        """Remove the owner's folder and user. Its services must be gone. May be repeated."""

    async def write(self, owner: Owner, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Put a file into the owner's folder, whole or not at all, owned by the owner."""

    async def place(
        self, owner: Owner, path: str, source: pathlib.Path, *, unpack: bool = False
    ) -> None:
        """Copy an artifact (a file below SHIPWAY_HOME/artifacts) into the owner's folder.

        With ``unpack`` the source is a tar file and ``path`` a folder. The result is owned by
        root (or by Shipway's own user) and read-only for the owner. May be repeated.
        """

    async def seal(self, owner: Owner, path: str) -> None:
        """Take write permission on a folder of the owner away from the owner, for good."""

    async def collect(self, owner: Owner, path: str, target: pathlib.Path) -> None:
        """Copy a file that a task has made out of the owner's folder; never follows a link."""

    async def remove(self, owner: Owner, path: str) -> None:
        """Remove a file or folder of the owner. May be repeated."""

    async def run(self, task: Task, *, on_line: OnLine | None = None) -> int:
        """Run a task to its end and return its exit status; each line of output is told.

        Cancelling the call, or the death of the caller, ends the task and all its children.
        Raises `errors.Failed` when it ran out of time, memory or output.
        """

    async def keep(self, service: Service) -> None:
        """Start a service and keep it running. The same service again changes nothing;
        another definition under the same name replaces it."""

    async def drop(self, name: str) -> None:
        """Stop a service (signal, grace, kill) and forget it. Also ends an orphan of it. May be
        repeated."""

    async def signal(self, name: str, signal: str) -> None:
        """Send a signal, such as ``SIGHUP``, to a running service."""

    async def services(self, prefix: str = "") -> Sequence[Observed]:
        """Observe the services whose names begin so."""

    async def log_lines(self, name: str, *, last: int = 200) -> Sequence[str]:
        """Return the last lines of a service's log."""
