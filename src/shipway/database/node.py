"""One PostgreSQL server: made once, then kept by the keeper as the OS user who owns its data."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from shipway.database import configuration, find
from shipway.kit import command, errors
from shipway.runtime.model import Observed, Owner, Service, Task
from shipway.runtime.port import Keeper

READY_SECONDS = 300
"""A server that was killed first repairs what it was writing."""

CRASHES_THAT_TELL = 3
"""A server that is restarted so often while we wait for it will not come up."""

USUAL_PORT = 5432
"""Part of a socket's name where no other port is."""

SUPERUSER = "postgres"
"""Made by initdb. Only the OS user who owns the data may be it."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """Whose server it is, the name of its service, and its configuration.

    ``rules`` are (database, role, method) of ``pg_hba.conf``, ``roles`` the role that each OS user
    may be by ``peer map=shipway``.
    """

    owner: Owner
    service: str
    settings: Mapping[str, str]
    rules: tuple[tuple[str, str, str], ...]
    roles: Mapping[str, str]
    port: int = 0
    """The port that it listens on, on loopback; 0 for its socket alone."""
    data: str = "data"
    """The folder of its data, in that of its owner, who may have several servers: then each has a
    port of its own, which is also part of its socket's name."""
    stop_signal: str = "SIGINT"
    """Ends sessions and stops cleanly. SIGTERM would wait for every session to leave, and SIGQUIT
    leaves a data folder that has to be repaired."""
    libraries: tuple[str, ...] = ()
    """Loaded from its next start on, where PostgreSQL has them."""


class Nodes:
    """Starts, asks and removes servers. ``given`` is the folder of PostgreSQL's programs, if told."""

    def __init__(self, keeper: Keeper, home: pathlib.Path, given: pathlib.Path | None) -> None:
        self._keeper = keeper
        self._home = home
        self._given = given

    def sockets(self, owner: Owner) -> str:
        return owner.sockets(str(self._home))

    async def start(self, node: Node, *, major: int | None = None) -> None:
        """Make the server if missing, configure it, start it and wait until it answers.

        A new one is of version ``major``, else of the newest. May be repeated: a running server
        takes up its configuration and serves on. Raises `errors.Unavailable` without PostgreSQL,
        `errors.Failed` when it does not come up.
        """
        folder = await self._keeper.provide(node.owner)
        made = await self._major(node.owner, node.data)
        postgres = await find.find(self._given, major=made or major)
        if made is None:
            await self._make(node, postgres)
        await self._configure(node, folder.owner(), postgres)
        if await self._listens_elsewhere(node):
            await self._keeper.drop(node.service)
        before = await self._observed(node)
        await self._keeper.keep(_service(node, postgres))
        if before and before.up:  # a signal in its first moments would end the server
            await self._keeper.signal(node.service, "SIGHUP")
        await self._wait(node, postgres)

    async def _listens_elsewhere(self, node: Node) -> bool:
        """Whether it runs with another port: only a start can change that (postmaster.pid(5):
        the port is its fourth line)."""
        lines: list[str] = []
        task = _task(node.owner, f"listens.{node.data}", "cat", f"{node.data}/postmaster.pid")
        if await self._keeper.run(task, on_line=lines.append) or len(lines) < 4:
            return False
        return lines[3].strip() != str(node.port or USUAL_PORT)

    async def programs(self, owner: Owner, data: str = "data") -> find.Postgres:
        """Return the PostgreSQL that the data belongs to; without data, the newest one."""
        return await find.find(self._given, major=await self._major(owner, data))

    def by_superuser(self, owner: Owner, *, port: int = 0) -> dict[str, str]:
        """Return the variables with which a task of the owner is let in as the superuser."""
        where = {"PGHOST": self.sockets(owner), "PGPORT": str(port or USUAL_PORT)}
        return {**where, "PGUSER": SUPERUSER}

    async def sql(
        self, owner: Owner, script: str, *, database: str = "postgres", port: int = 0
    ) -> None:
        """Run a script of psql as the superuser. It may hold passwords: it goes by standard input."""
        postgres = await self.programs(owner)
        lines: list[str] = []
        task = Task(
            owner=owner,
            argv=(postgres.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"),
            key=f"sql.{owner.slug}.{port}",
            env={
                **command.base_environment(),
                **self.by_superuser(owner, port=port),
                "PGDATABASE": database,
                "PGOPTIONS": "-c log_min_error_statement=panic -c client_min_messages=warning",
            },
            stdin=script.encode(),
            timeout=60,
        )
        if await self._keeper.run(task, on_line=lines.append):
            raise errors.Failed(f"Setting up {owner.slug} failed: {' '.join(lines[-3:])}")

    async def remove(self, node_service: str, owner: Owner) -> None:
        """Stop the server and remove its data. May be repeated."""
        await self._keeper.drop(node_service)
        await self._keeper.withdraw(owner)

    async def _major(self, owner: Owner, data: str = "data") -> int | None:
        """The version that the data belongs to, or None when there is no data yet."""
        lines: list[str] = []
        task = _task(owner, f"version.{data}", "cat", f"{data}/PG_VERSION")
        status = await self._keeper.run(task, on_line=lines.append)
        return int(lines[0]) if status == 0 else None

    async def _make(self, node: Node, postgres: find.Postgres) -> None:
        """Make the data beside its place and move it there, so that half of it never counts."""
        owner, new = node.owner, f"{node.data}.new"
        await self._keeper.remove(owner, new)
        how = ("--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--auth=reject")
        initdb = (postgres.program("initdb"), "-D", new, "-U", SUPERUSER, *how)
        for argv in (initdb, ("mv", "-T", new, node.data)):
            lines: list[str] = []
            if await self._keeper.run(_task(owner, f"make.{new}", *argv), on_line=lines.append):
                raise errors.Failed(f"Making {owner.slug} failed: {' '.join(lines[-3:])}")

    async def _configure(self, node: Node, user: str, postgres: find.Postgres) -> None:
        loaded = [name for name in node.libraries if postgres.has_library(name)]
        values = {**node.settings, "shared_preload_libraries": ", ".join(loaded)}
        files = {
            "postgresql.conf": configuration.settings(values, sockets=self.sockets(node.owner)),
            "pg_hba.conf": configuration.admission(
                [("all", SUPERUSER, "peer map=keeper"), *node.rules]
            ),
            "pg_ident.conf": configuration.identities("keeper", {user: SUPERUSER})
            + configuration.identities("shipway", node.roles),
        }
        for name, text in files.items():
            await self._keeper.write(node.owner, f"{node.data}/{name}", text.encode())

    async def _wait(self, node: Node, postgres: find.Postgres) -> None:
        ask = command.Command(
            argv=(
                postgres.program("pg_isready"),
                "-q",
                "-h",
                self.sockets(node.owner),
                "-p",
                str(node.port or USUAL_PORT),
            ),
            env=command.base_environment(),
            timeout=10,
        )
        crashes = await self._restarts(node)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while (await command.run(ask, check=False)).status != 0:
                    if await self._restarts(node) - crashes >= CRASHES_THAT_TELL:
                        raise await self._not_up(node)
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise await self._not_up(node) from error

    async def _observed(self, node: Node) -> Observed | None:
        observed = await self._keeper.services(node.service)
        return next((one for one in observed if one.name == node.service), None)

    async def _restarts(self, node: Node) -> int:
        observed = await self._observed(node)
        return observed.restarts if observed else 0

    async def _not_up(self, node: Node) -> errors.Failed:
        lines = await self._keeper.log_lines(node.service, last=5)
        return errors.Failed(f"PostgreSQL {node.service} does not come up: {' '.join(lines)}")


def _service(node: Node, postgres: find.Postgres) -> Service:
    return Service(
        owner=node.owner,
        name=node.service,
        argv=(postgres.program("postgres"), "-D", node.data),
        env={**command.base_environment(), "TZ": "UTC"},
        stop_signal=node.stop_signal,
        grace=60,
    )


def _task(owner: Owner, what: str, *argv: str) -> Task:
    environment = {**command.base_environment(), "TZ": "UTC"}
    return Task(owner=owner, argv=argv, key=f"{what}.{owner.slug}", env=environment, timeout=300)
