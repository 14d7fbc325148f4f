"""One OS user for each owner, when Shipway is root; else everything is the one user we are."""

from __future__ import annotations

import asyncio
import grp
import hashlib
import os
import pathlib
import pwd
import shutil

from shipway.kit import command, errors
from shipway.runtime.model import Kind, Owner

PLATFORM = frozenset({Kind.API, Kind.WORKER, Kind.INTAKE, Kind.EDGE, Kind.STORE, Kind.CLUSTER})
"""Their users share the platform's group, which may read the folders of each."""

_ALREADY_SO = {"useradd": 9, "groupadd": 9, "userdel": 6, "groupdel": 6}
"""The status of each account tool when there is nothing left to do."""

UNPRIVILEGED = ("--no-new-privs", "--inh-caps=-all")
LOW_PORTS = (
    "--no-new-privs",
    "--inh-caps=+net_bind_service",
    "--ambient-caps=+net_bind_service",
)


def group_of(home: pathlib.Path) -> str:
    """Return the name of the platform's group: one for each SHIPWAY_HOME."""
    return f"shipway-{hashlib.sha256(str(home).encode()).hexdigest()[:10]}"


class Users:
    """The OS users of one SHIPWAY_HOME."""

    def __init__(self, home: pathlib.Path) -> None:
        self._home = home
        self._lock = asyncio.Lock()
        self.is_root = os.geteuid() == 0
        self._setpriv = shutil.which("setpriv") or "setpriv"

    async def ensure(self, owner: Owner, folder: pathlib.Path) -> None:
        """Make the owner's user if missing."""
        if not self.is_root or _known(self._name(owner)):
            return
        async with self._lock:
            group = ("--user-group",)
            if owner.kind in PLATFORM:
                await self.ensure_group()
                group = (f"--gid={group_of(self._home)}",)
            await self._administer(
                "useradd", "--system", "--no-create-home", f"--home-dir={folder}",
                "--shell=/usr/sbin/nologin", *group, self._name(owner),
            )  # fmt: skip

    async def ensure_group(self) -> int:
        """Make the platform's group if missing, and return its id."""
        if not self.is_root:
            return os.getegid()
        name = group_of(self._home)
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            await self._administer("groupadd", "--system", name)
            return grp.getgrnam(name).gr_gid

    async def remove(self, owner: Owner) -> None:
        """Remove the owner's user and the group of the same name."""
        if self.is_root and _known(self._name(owner)):
            async with self._lock:
                await self._administer("userdel", self._name(owner))

    async def remove_group(self) -> None:
        if self.is_root:
            async with self._lock:
                await self._administer("groupdel", "-f", group_of(self._home))

    def ids(self, owner: Owner) -> tuple[int, int]:
        """Return the user and group of an owner. Raises `errors.NotFound` before `ensure`."""
        if not self.is_root:
            return os.geteuid(), os.getegid()
        try:
            entry = pwd.getpwnam(self._name(owner))
        except KeyError as error:
            raise errors.NotFound(
                f"{owner.slug} has no OS user.", fix="Provide the owner first."
            ) from error
        return entry.pw_uid, entry.pw_gid

    def becoming(self, owner: Owner, *, low_ports: bool = False) -> tuple[str, ...]:
        """Return the command that runs another one as this owner, with no way back."""
        flags = LOW_PORTS if low_ports and self.is_root else UNPRIVILEGED
        if not self.is_root:
            return (self._setpriv, "--no-new-privs", "--")
        uid, gid = self.ids(owner)
        return (self._setpriv, f"--reuid={uid}", f"--regid={gid}", "--init-groups", *flags, "--")

    def _name(self, owner: Owner) -> str:
        return owner.user(str(self._home))

    async def _administer(self, *argv: str) -> None:
        """Run one of the account tools, again when another process holds the password file."""
        for attempt in range(5):
            done = await command.run(
                command.Command(argv=argv, env=command.base_environment()), check=False
            )
            if done.status in {0, _ALREADY_SO[argv[0]]}:
                return
            await asyncio.sleep(0.2 * 2**attempt)
        raise errors.Failed(f"`{argv[0]}` for {argv[-1]} did not succeed: {done.last_lines[-1:]}.")


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
