"""A PostgreSQL of the clone's own: by socket for its owner, by loopback with a password for apps."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.resources
import os
import pathlib
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from shipway.database import find
from shipway.kit import command, errors

OnLine = Callable[[str], None]

READY_SECONDS = 120
SUPERUSER = "postgres"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "error",
    "log_line_prefix": "",
}
"""Forgetful on purpose: what is in it can be made again."""

_ADMISSION = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
"""Who reaches the socket's folder is its owner; loopback is open to everybody on the machine."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the data is, and as whom (None: as we are) PostgreSQL runs."""

    data: pathlib.Path
    ids: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Database:
    """A running PostgreSQL. ``by_socket`` is for a person: it needs no password."""

    owner_url: str = field(repr=False)
    server_url: str = field(repr=False)
    by_socket: str
    process: command.Running


def place(folder: pathlib.Path) -> Place:
    """Return where the data of a clone is: below its folder.

    Root may not run PostgreSQL. Somebody else does, and where they cannot walk into the clone the
    data lies below the temporary folder for long-lived files.
    """
    if os.geteuid() != 0:
        return Place(data=folder / "postgres")
    account = _somebody()
    above = folder
    if not all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents)):
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        above = pathlib.Path("/var/tmp") / f"shipway-dev-{name}"  # noqa: S108 -- its owner is checked
        above.mkdir(mode=0o755, exist_ok=True)
        if above.stat().st_uid != 0 or above.is_symlink():
            raise errors.Refused(f"{above} belongs to somebody else.", fix="Remove it.")
    return Place(data=above / "postgres", ids=(account.pw_uid, account.pw_gid))


def _somebody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


class Postgres:
    """The PostgreSQL of one clone."""

    def __init__(self, where: Place, programs: find.Postgres, *, password: str) -> None:
        self._where = where
        self._programs = programs
        self._password = password

    @classmethod
    async def of(cls, where: Place, *, password: str, fresh: bool) -> Postgres:
        """Find the programs; with ``fresh`` forget the data. Raises `errors.Unavailable`."""
        if fresh:
            new = cls(where, await find.find(), password=password)
            await new.forget()
            return new
        try:
            programs = await find.find(major=_major(where.data))
        except errors.Unavailable as error:
            fix = f"{error.fix} Or begin with an empty database: shipway dev --fresh"
            raise errors.Unavailable(
                error.what, fix=fix if where.data.exists() else error.fix
            ) from error
        return cls(where, programs, password=password)

    async def forget(self) -> None:
        """Remove the data. May be repeated."""
        await self._end_predecessor()
        await asyncio.to_thread(shutil.rmtree, self._where.data, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def running(self, port: int, on_line: OnLine) -> AsyncIterator[Database]:
        """Have it running for as long as the block does, made if missing."""
        await self._end_predecessor()
        if _major(self._where.data) is None:
            await self._make()
        admission = self._where.data / "pg_hba.conf"
        admission.write_text(_ADMISSION)
        admission.chmod(0o644)
        with self._sockets() as sockets:
            settings = {**_SETTINGS, "port": str(port), "unix_socket_directories": str(sockets)}
            words = (f"--{name}={value}" for name, value in settings.items())
            server = self._command("postgres", "-D", str(self._where.data), *words)
            # SIGINT ends sessions and stops cleanly; SIGTERM would wait for them to leave.
            async with command.running(
                server, on_line=on_line, stop_signal=signal.SIGINT
            ) as process:
                await self._wait(process, sockets, port)
                await self._make_roles(sockets, port)
                yield Database(
                    owner_url=self._url("schema_owner", port),
                    server_url=self._url("server", port),
                    by_socket=f"psql -h {sockets} -p {port} -U {SUPERUSER} app",
                    process=process,
                )

    def _url(self, role: str, port: int) -> str:
        return f"postgresql://{role}:{self._password}@127.0.0.1:{port}/app"

    @contextlib.contextmanager
    def _sockets(self) -> Iterator[pathlib.Path]:
        """A folder with a short path, since a socket's may have 103 bytes, for its owner alone."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="shipway-dev-"))
        try:
            if self._where.ids:
                os.chown(folder, *self._where.ids)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _make(self) -> None:
        """Make the data beside its place and move it there, so that half of it never counts."""
        data = self._where.data
        data.parent.mkdir(parents=True, exist_ok=True)
        draft = data.with_suffix(".new")
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._where.ids:
            os.chown(draft, *self._where.ids)
        # macOS has no C.UTF-8; both sort by the code of a character.
        locale = "C" if sys.platform == "darwin" else "C.UTF-8"
        how = ("-U", SUPERUSER, "-A", "trust", "-E", "UTF8", f"--locale={locale}", "--no-sync")
        await command.run(self._command("initdb", "-D", str(draft), *how, timeout=300))
        draft.rename(data)

    async def _end_predecessor(self) -> None:
        """Stop what a killed `shipway dev` has left: we hold the clone, so it is nobody else's."""
        if (self._where.data / "postmaster.pid").exists():
            stop = ("stop", "-w", "-m", "immediate", "-D", str(self._where.data))
            await command.run(self._command("pg_ctl", *stop), check=False)

    async def _wait(self, process: command.Running, sockets: pathlib.Path, port: int) -> None:
        ask = self._command("pg_isready", "-q", "-h", str(sockets), "-p", str(port), timeout=10)
        ended = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(READY_SECONDS):
                while (await command.run(ask, check=False)).status != 0:
                    if ended.done():
                        raise errors.Failed("PostgreSQL ended at once; its lines are above.")
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise errors.Failed(f"PostgreSQL was not ready in {READY_SECONDS} s.") from error
        finally:
            ended.cancel()

    async def _make_roles(self, sockets: pathlib.Path, port: int) -> None:
        script = importlib.resources.files(__package__ or "").joinpath("roles.sql").read_text()
        address = ("-h", str(sockets), "-p", str(port), "-U", SUPERUSER, "-d", "postgres")
        told = f"\\set password '{self._password}'\n{script}"
        await command.run(
            self._command(
                "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *address, "-f", "-", stdin=told
            )
        )

    def _command(
        self, program: str, *arguments: str, timeout: float = 60, stdin: str = ""
    ) -> command.Command:
        return command.Command(
            argv=(self._programs.program(program), *arguments),
            # Without LC_ALL, PostgreSQL on macOS refuses to start in some terminals.
            env={**command.base_environment(), "LC_ALL": "C", "TZ": "UTC"},
            cwd=self._where.data.parent,
            timeout=timeout,
            stdin=stdin.encode(),
            ids=self._where.ids,
        )


def _major(data: pathlib.Path) -> int | None:
    """The version that the data belongs to, or None when there is none."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None
