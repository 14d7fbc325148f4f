"""The story of `shipway dev`: database, migrations, server and client, until told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from shipway.appfile.model import Client, DatabaseTool, Product, Server
from shipway.kit import command, errors
from shipway.local import installing, model, ports, postgres, server, watching
from shipway.local.children import Children
from shipway.local.clone import Clone

Tell = Callable[[str, str], None]
"""Takes the name of a part, and a line that it has said."""

OURS = "shipway"
MIGRATION_SECONDS = 600

_NOT_INHERITED = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "SHIPWAY_TOKEN", "CI"}
"""Those of the environment that Shipway itself runs in; and with CI, Expo would not reload."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where lines go, and whether colours are welcome there."""

    line: Tell
    coloured: bool = False

    def by(self, name: str) -> Callable[[str], None]:
        return lambda text: self.line(name, text)


class Stack:
    """Everything that runs for one clone."""

    def __init__(self, clone: Clone, options: model.Options, told: Told) -> None:
        self._clone = clone
        self._root = clone.root
        self._options = options
        self._told = told
        self._say = told.by(OURS)
        self._children = Children(clone.folder / "running")
        self.product: Product = clone.product()

    async def run(self) -> None:
        """Run until cancelled; then nothing that was started is left.

        Raises `errors.Conflict` for a port or a clone in use, `errors.Unavailable` for what is not
        installed, `errors.Invalid` for variables without a value, and `errors.Failed` when an
        install, the first migration, the database or the client does not succeed.
        """
        with self._clone.alone():
            where = model.addresses(self._options, ports.lan_address() if self._options.lan else "")
            await self._end_left()
            await self._check_ports(where)
            async with self._prepared(where) as (variables, database):
                await self._run_parts(where, variables, database)

    async def change_schema(self, *commands: tuple[str, ...]) -> None:
        """Run commands of the migration tool, with nothing but the clone's database.

        Raises `errors.Conflict` while `shipway dev` has the clone, and `errors.Failed` when a
        command does not succeed.
        """
        tool = self.product.database
        if tool is None:
            raise errors.Refused("shipway.toml has no [database]: there is no schema.")
        with self._clone.alone():
            await self._end_left()
            async with self._prepared(model.addresses(self._options, "")) as (variables, database):
                url = self._owner_url(variables, database)
                for argv in commands:
                    wanted = replace(self._migration(tool, variables, url), argv=argv)
                    await command.run(wanted, on_line=self._told.by("migrate"))

    async def _end_left(self) -> None:
        if await self._children.end_left():
            self._say("Ended what a killed `shipway dev` had left.")

    @contextlib.asynccontextmanager
    async def _prepared(
        self, where: model.Addresses
    ) -> AsyncIterator[tuple[model.Variables, postgres.Database | None]]:
        """Have the database run, the variables filled and the dependencies there."""
        given = self._clone.given(self.product)
        made = self._clone.made_up(model.secrets_to_make(self.product, given))
        async with self._database(given) as database:
            variables = model.variables(
                self.product,
                where,
                given=given,
                made=made,
                db_url=database.server_url if database else "",
            )
            for note in variables.notes:
                self._say(note)
            await self._install()
            yield variables, database

    def _owner_url(self, variables: model.Variables, database: postgres.Database | None) -> str:
        urls = map(variables.server.get, self.product.called("DB_URL"))
        return database.owner_url if database else next(filter(None, urls), "")

    async def _check_ports(self, where: model.Addresses) -> None:
        if self.product.server:
            await ports.demand_free(where.port, "the server", "--port")
        if self._client:
            await ports.demand_free(where.client_port, "the client", "--client-port")

    @property
    def _client(self) -> Client | None:
        return self.product.client if self._options.client else None

    @contextlib.asynccontextmanager
    async def _database(self, given: Mapping[str, str]) -> AsyncIterator[postgres.Database | None]:
        urls = [name for name in self.product.called("DB_URL") if given.get(name)]
        if not self.product.database or urls:
            if self.product.database:
                self._say(f"The database is that of {urls[0]} in .env; none is started here.")
            yield None
            return
        password = self._clone.made_up(["the database's password"])["the database's password"]
        made = await postgres.Postgres.of(
            postgres.place(self._clone.folder), password=password, fresh=self._options.fresh
        )
        port = ports.free(self._clone.kept_port())
        self._clone.keep_port(port)
        tell = self._told.by("database")

        def tell_trouble(line: str) -> None:
            if not line.startswith("LOG:"):
                tell(line)

        async with made.running(port, tell_trouble) as database:
            yield database

    async def _install(self) -> None:
        installs = installing.Installs(self._root, self._clone.folder / "installed")
        for step in model.needed_installs(self.product, client=bool(self._client)):
            if await asyncio.to_thread(installs.missing, step):
                words = " ".join(step.run)
                self._say(f"Dependencies of {step.folder} are missing or old: {words}")
                env = self._environment(self._root / step.folder)
                await installs.run(step, env, self._told.by("install"))

    async def _run_parts(
        self, where: model.Addresses, variables: model.Variables, database: postgres.Database | None
    ) -> None:
        owner_url = self._owner_url(variables, database)
        ready: list[asyncio.Event] = []
        async with _together() as group:
            if self.product.database:
                migrate = self._migration(self.product.database, variables, owner_url)
                before = self._migrations(self.product.database).now()
                await command.run(migrate, on_line=self._told.by("migrate"))
                group.create_task(self._migrate_again(self.product.database, migrate, before))
            if database:
                group.create_task(_must_last(database.process, "The database"))
            if self.product.server:
                ready.append(asyncio.Event())
                group.create_task(self._serve(self.product.server, where, variables, ready[-1]))
            if self._client:
                ready.append(asyncio.Event())
                group.create_task(self._show(self._client, where, variables, ready[-1]))
            by_socket = [database.by_socket] if database else []
            group.create_task(self._announce(where, ready, by_socket))

    async def _announce(
        self, where: model.Addresses, ready: list[asyncio.Event], database: list[str]
    ) -> None:
        for event in ready:
            await event.wait()
        self._say("All of it runs. Ctrl-C ends it.")
        for line in model.summary(
            self.product, where, client=bool(self._client), database=database
        ):
            self._say(f"  {line}")

    # --- the parts -----------------------------------------------------------------------------

    def _migration(
        self, tool: DatabaseTool, variables: model.Variables, owner_url: str
    ) -> command.Command:
        folder = self._root / tool.folder
        env = {
            **self._environment(folder),
            **_imports(folder),
            **variables.server,
            **self.product.same({"DB_URL": owner_url}),
            "DB_URL": owner_url,
        }
        return command.Command(argv=tool.migrate, env=env, cwd=folder, timeout=MIGRATION_SECONDS)

    def _migrations(self, tool: DatabaseTool) -> watching.Sources:
        return watching.Sources(self._root / tool.folder, (".py", ".sql", ".ts", ".js", ".prisma"))

    async def _migrate_again(
        self, tool: DatabaseTool, migrate: command.Command, since: watching.Snapshot
    ) -> None:
        """Migrate after a change among the files of the migrations; a failure is only told."""
        folder, sources = self._root / tool.folder, self._migrations(tool)
        tell = self._told.by("migrate")
        while True:
            changed = folder / await sources.changed(since)
            since = sources.now()
            if any(_is_among(folder, pattern, changed) for pattern in tool.files):
                tell(f"{changed.relative_to(folder)} has changed.")
                try:
                    await command.run(migrate, on_line=tell)
                except errors.ShipwayError as error:
                    tell(str(error))

    async def _serve(
        self, part: Server, where: model.Addresses, variables: model.Variables, ready: asyncio.Event
    ) -> None:
        folder = self._root / part.folder
        shared = bool(self.product.client and self.product.client.folder == part.folder)
        start = server.plan(
            self._root,
            part,
            {**self._environment(folder), **_imports(folder), **variables.server},
            shared=shared,
        )
        await server.demand_types_stripped(start)
        health = f"http://127.0.0.1:{where.port}{part.health}"
        tell = self._told.by("server")
        group = [asyncio.ensure_future(server.serve(self._children, start, tell, health, ready))]
        group.append(asyncio.ensure_future(self._remind(part, ready)))
        try:
            await group[0]
        finally:
            for one in group:
                one.cancel()
            await asyncio.wait(group)

    async def _remind(self, part: Server, ready: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), part.ready_seconds)
            return
        self._say(
            f"The server has not answered 200 at {part.health} in {part.ready_seconds} s: it must"
            f" listen on the port in {part.port}."
        )

    async def _show(
        self, part: Client, where: model.Addresses, variables: model.Variables, ready: asyncio.Event
    ) -> None:
        folder = self._root / part.folder
        expo = server.node_program(self._root, folder, "expo")
        if not expo:
            raise errors.Unavailable(
                f"{part.folder} has no Expo command line.",
                fix="Is expo among its dependencies, and is there an [[install]] for it?",
            )
        env = {**self._environment(folder), **variables.client}
        if not await ports.is_online():
            self._say("Expo's server cannot be reached: Expo runs offline.")
            env["EXPO_OFFLINE"] = "1"
        if self._options.lan:
            env["REACT_NATIVE_PACKAGER_HOSTNAME"] = where.name
        how = "--lan" if self._options.lan else "--localhost"
        wanted = command.Command(
            argv=(expo, "start", how, "--port", str(where.client_port)), env=env, cwd=folder
        )
        tell = self._told.by("client")
        async with self._children.running(wanted, tell) as metro:
            asking = asyncio.ensure_future(
                server.answers(f"http://127.0.0.1:{where.client_port}/status", ready)
            )
            try:
                await _must_last(metro, "The Expo dev server")
            finally:
                asking.cancel()

    def _environment(self, folder: pathlib.Path) -> dict[str, str]:
        """The person's own environment, with the programs of the clone before all others."""
        env = {
            name: value
            for name, value in command.everything_inherited().items()
            if name not in _NOT_INHERITED
        }
        places = list(server.around(self._root, folder))
        bins = [place / ".venv" / "bin" for place in places]
        bins += [place / "node_modules" / ".bin" for place in places]
        found = [str(place) for place in bins if place.is_dir()]
        env["PATH"] = os.pathsep.join([*found, env.get("PATH", os.defpath)])
        env["PYTHONUNBUFFERED"] = "1"
        if self._told.coloured:
            env["FORCE_COLOR"] = "1"
        return env


def _imports(folder: pathlib.Path) -> dict[str, str]:
    """A project that is not installed into its own environment is imported from its sources."""
    sources = [str(place) for place in (folder / "src", folder) if place.is_dir()]
    return {"PYTHONPATH": os.pathsep.join(sources)}


def _is_among(folder: pathlib.Path, pattern: str, file: pathlib.Path) -> bool:
    return any(found == file or found in file.parents for found in folder.glob(pattern))


async def _must_last(process: command.Running, what: str) -> None:
    """Raise `errors.Failed` when a process ends that the rest needs."""
    status = await process.wait()
    ending = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
    raise errors.Failed(f"{what} ended {ending}; its last lines are above.")


@contextlib.asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first error is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
