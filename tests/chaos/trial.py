"""A platform whose worker is in the hands of the test, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import psycopg
from demo.stage import Failed, Stage

from shipway import wiring
from shipway.client import client, wire
from shipway.kit import durable, errors, http, settings
from shipway.runtime.model import Kind, Owner, Task
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploying import Deploying
from shipway.workflows.housekeeping import Housekeeping
from shipway.workflows.promoting import Promoting
from shipway.workflows.updating import Updating

T = TypeVar("T")

TOLD = pathlib.Path(__file__).with_name("told_worker.py")
UNHAPPY = {"fail", "cancel", "withdraw", "give_up", "has_expired", "expire", "start_over"}
STORIES = {
    "deliver": Delivering,
    "enter": Deploying,
    "promote": Promoting,
    "update": Updating,
    "tidy": Housekeeping,
}
STEPS = sorted(
    f"{kind}.{step}" for kind, told in STORIES.items() for step in durable.steps_of(told) - UNHAPPY
)
"""Every step that a delivery, two deployments, a promotion, a rollback, a change of updates and
housekeeping take."""

TOLD_OF = ("run_", "dep_", "promote:", "uch_", "hk_")
"""The beginnings of their workflows' ids. What Shipway does by itself, such as backups, comes at any
moment and goes by untold."""

PATIENCE_SECONDS = 240.0

OnPoint = Callable[[durable.Point], Awaitable[None]]


def step_of(point: durable.Point) -> str:
    """Return the name of the step, as in `STEPS`, that a point belongs to."""
    kinds = {"run_": "deliver", "promote:": "promote", "uch_": "update", "hk_": "tidy"}
    kind = next((k for start, k in kinds.items() if point.workflow.startswith(start)), "enter")
    return f"{kind}.{point.step.split()[0]}"


@dataclasses.dataclass
class Expected:
    """A model of the app `tiny`: what people did decides what is live, and nothing else does."""

    live: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"staging": "v1", "production": "v1"}
    )
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"v1": ""})
    """For each version that was live in production, the one that it replaced."""
    texts: dict[str, str] = dataclasses.field(default_factory=lambda: {"v1": "1"})
    """What each version answers."""
    ready: list[str] = dataclasses.field(default_factory=list)
    """Versions that wait for their approval."""
    tags: set[str] = dataclasses.field(default_factory=lambda: {"v1"})
    rollbacks: int = 0

    def delivered(self, version: str, *, text: str) -> None:
        self.live["staging"] = version
        self.texts[version] = text
        self.ready.append(version)

    def may_follow(self, version: str) -> bool:
        """Whether a release contains the live one: main is one line of commits."""
        return _number(version) > _number(self.live["production"])

    def promoted(self, version: str, state: str) -> None:
        """An approved release was deployed, unless it lacks the live one."""
        assert state == ("live" if self.may_follow(version) else "failed"), version
        self.ready.remove(version)
        self.tags.add(version)
        if state == "live":
            self.before[version] = self.live["production"]
            self.live["production"] = version

    def rolled_back(self, version: str, state: str) -> None:
        assert state == "live"
        self.rollbacks += 1
        self.live["production"] = version


def _number(version: str) -> int:
    return int(version.removeprefix("v"))


class Trial:
    """The tiny app on a platform of its own, through one history after the other."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.expected = Expected()
        self.changes = 1
        self.troubles: list[str] = []
        # A copy that the worker's user can read, wherever this checkout is.
        self._told = shutil.copy(TOLD, stage.home)
        self._worker = 0
        self.on_point: OnPoint | None = None

    # The worker

    @contextlib.asynccontextmanager
    async def holding_the_worker(self) -> AsyncIterator[None]:
        """Run the worker ourselves until the block ends, again each time that it has died."""
        found = settings.load(home=self.stage.shipway_home)
        await wiring.keeper(found).drop("worker")
        path = self.stage.home / "points"
        server = await asyncio.start_unix_server(self._hear, path)
        path.chmod(0o777)
        with (self.stage.home / "worker.log").open("ab") as log:
            workers = await asyncio.create_subprocess_exec(
                *self._becoming(), sys.executable, "-P", str(self._told), str(path),
                env=self.stage.environment("dev") | {"HOME": "/nonexistent"},
                cwd="/", stdout=log, stderr=log,
            )  # fmt: skip
            try:
                yield
            finally:
                workers.terminate()
                await workers.wait()
                server.close()

    @contextlib.asynccontextmanager
    async def at_each_point(self, act: OnPoint) -> AsyncIterator[None]:
        """Have the worker wait at each point of each step until ``act`` has been done."""
        self.troubles.clear()  # those of a test before are told by that test
        self.on_point = act
        try:
            yield
        finally:
            self.on_point = None

    def kill_worker(self) -> None:
        """Kill the worker whose point we have been told of: it waits for our answer."""
        assert self._worker > 1
        os.kill(self._worker, signal.SIGKILL)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one worker out; who it is the kernel knows."""
        size = struct.calcsize("3i")
        credentials = writer.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, size
        )
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self._worker, _, _ = struct.unpack("3i", credentials)
                try:
                    point = durable.Point(**json.loads(line))
                    if self.on_point and point.workflow.startswith(TOLD_OF):
                        await self.on_point(point)
                except Exception as error:  # noqa: BLE001 -- told later; the worker must not wait for ever
                    self.troubles.append(repr(error))
                writer.write(b".")
                await writer.drain()
        writer.close()

    def _becoming(self) -> tuple[str, ...]:
        if os.geteuid() != 0:
            return ()
        user = pwd.getpwnam(Owner(Kind.WORKER).user(str(self.stage.shipway_home)))
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}")
        return ("setpriv", *ids, "--init-groups", "--no-new-privs")

    # What people do stays done, whatever dies meanwhile

    async def history(self) -> None:
        """Deliver a release with a migration, promote it and take it back."""
        version = await self.deliver()
        await self.promote(version)
        await self.roll_back()
        await self.must_be_as_expected()

    async def deliver(self) -> str:
        """Push a release; its run must succeed. Returns the version."""
        run = await self.push(await self.change())
        if run.state != "succeeded":
            async with self.stage.api() as api:
                steps = (await api.run(run.id)).steps
            told = [f"{step.name} {step.state}: {step.sentence}" for step in steps]
            raise Failed(f"the run {run.state}: {run.sentence} {told}")
        version = await self.version_of(run)
        self.expected.delivered(version, text=str(self.changes))
        return version

    async def change(self) -> str:
        """Commit a release that answers with a text of its own and has a migration."""
        before, self.changes = self.changes, self.changes + 1
        name = f"{self.changes:04}_note.sql"
        migration = self.stage.checkout / "server" / "migrations" / name
        migration.write_text(f"insert into notes (text) values ('{name}');\n")
        await self.stage.git("add", ".")
        return await self.commit(
            "server/tiny/__init__.py",
            lambda text: text.replace(f'"{before}"', f'"{self.changes}"'),
        )

    async def commit(self, path: str, change: Callable[[str], str]) -> str:
        await self.stage.commit(path, change, f"Change {path}")
        return (await self.stage.git("rev-parse", "HEAD")).strip()

    async def push(self, commit: str) -> wire.Run:
        """Push, and wait until the run of the commit is over."""

        async def over(api: client.Client) -> wire.Run | None:
            page = await api.runs(self.stage.app, limit=3)
            return next((one for one in page.items if one.commit == commit and one.over), None)

        # The API may die while it tells of the run; what was pushed is there all the same.
        with contextlib.suppress(Failed):
            await self.stage.git("push", "shipway", "main")
        return await self.until(over)

    async def version_of(self, run: wire.Run) -> str:
        async def made(api: client.Client) -> str | None:
            page = await api.releases(self.stage.app, limit=3)
            return next((one.version for one in page.items if one.commit == run.commit), None)

        return await self.until(made)

    async def approve(self, version: str, *, person: str = "ada") -> str:
        async def say(api: client.Client) -> wire.Said:
            return await api.approve(self.stage.app, "production", release=version)

        return (await self.until(say, person=person)).sentence

    async def promote(self, version: str) -> wire.Deployment:
        """Approve a release, and wait until its deployment is over."""
        await self.approve(version)
        deployment = await self.ended(lambda one: one.version == version)
        self.expected.promoted(version, deployment.state)
        return deployment

    async def roll_back(self, *, to: str = "") -> wire.Deployment:
        """Ask once for production to be taken back, and wait until that is over."""

        async def known(api: client.Client) -> set[str]:
            page = await api.deployments(self.stage.app, "production", limit=50)
            return {one.id for one in page.items}

        async def ask(api: client.Client) -> wire.Deployment:
            # An answer may be lost: what was asked for is looked for before it is asked again.
            newest = (await api.deployments(self.stage.app, "production", limit=1)).items[0]
            if newest.id not in before:
                return newest
            return await api.roll_back(self.stage.app, "production", to=to)

        before = await self.until(known)
        asked = await self.until(ask, person="ada")
        deployment = await self.ended(lambda one: one.id == asked.id)
        self.expected.rolled_back(deployment.version, deployment.state)
        return deployment

    async def ended(self, is_it: Callable[[wire.Deployment], bool]) -> wire.Deployment:
        """Wait until a deployment to production is over."""

        async def over(api: client.Client) -> wire.Deployment | None:
            page = await api.deployments(self.stage.app, "production", limit=5)
            return next((one for one in page.items if is_it(one) and one.over), None)

        return await self.until(over)

    async def until(
        self, ask: Callable[[client.Client], Awaitable[T | None]], *, person: str = "dev"
    ) -> T:
        """Ask the API until it has an answer, however often it dies."""
        async with self.stage.api(person) as api, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(errors.Unavailable):
                    if (found := await ask(api)) is not None:
                        return found
                await asyncio.sleep(0.1)

    # What must be so afterwards

    async def must_be_as_expected(self) -> None:
        """Compare what is on record and what users get with what should be."""
        assert not self.troubles, self.troubles
        for environment, version in self.expected.live.items():

            async def recorded(api: client.Client, of: str = environment) -> str | None:
                found = (await api.environment(self.stage.app, of)).live
                return found.version if found else None

            assert await self.until(recorded) == version, environment
            answer = await self.answer(environment)
            assert answer["version"] == self.expected.texts[version], environment

    async def answer(self, environment: str, path: str = "/") -> dict[str, str]:
        """Return what users are told, once there is a good answer."""
        url, stage = f"{self.stage.url(environment)}{path}", self.stage
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(errors.Unavailable):
                    answer = await http.get(url, address=stage.edge, ca_file=stage.ca_file)
                    if answer.is_success:
                        told: dict[str, str] = answer.json()
                        return told
                await asyncio.sleep(0.1)

    def refusals(self) -> list[str]:
        """Return what Envoy noted of the last requests that it answered with a failure."""
        log = self.stage.shipway_home / "edge" / "run" / "access.log"
        lines = log.read_text().splitlines()
        return [line for line in lines if str(json.loads(line).get("status", "")).startswith("5")][
            -5:
        ]

    async def double_effects(self) -> list[str]:
        """Look at everything that would be there twice if something had been done twice."""
        return [
            *await self._of_tags(),
            *await self._of_the_record(),
            *await self._of_migrations(),
            *await self._of_instances(),
        ]

    async def _of_tags(self) -> list[str]:
        listed = (await self.stage.git("ls-remote", "--tags", "--refs", "shipway")).splitlines()
        tags = Counter(line.rpartition("/")[2] for line in listed if "refs/tags" in line)
        return [f"tag {tag}" for tag in tags - Counter(self.expected.tags)]

    async def _of_the_record(self) -> list[str]:
        found = settings.load(home=self.stage.shipway_home)
        async with await psycopg.AsyncConnection.connect(found.database_url) as record:
            more = []
            for what, sql in TWICE.items():
                rows = await (await record.execute(sql.encode())).fetchall()
                more += [f"{what}: {row}" for row in rows]
            counted = await record.execute(
                "select count(*) from releases.deployments"
                " where kind = 'rollback' and state <> 'failed'"
            )
            (rollbacks,) = await counted.fetchone() or (0,)
        return more + ["rollback"] * (int(rollbacks) - self.expected.rollbacks)

    async def _of_migrations(self) -> list[str]:
        """Each migration adds one note; the databases of both environments are looked at."""
        found = settings.load(home=self.stage.shipway_home)
        twice = []
        for environment in ("staging", "production"):
            owner = Owner(Kind.CLUSTER, self.stage.app, environment)
            lines: list[str] = []
            psql = next(iter(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql")))
            sql = "select text from notes group by text having count(*) > 1"
            task = Task(
                owner=owner,
                key="notes",
                argv=(str(psql), "-XqAt", "-d", f"{self.stage.app}", "-c", sql),
                env={"PGHOST": owner.sockets(str(self.stage.shipway_home)), "PGUSER": "postgres"},
            )
            assert await wiring.keeper(found).run(task, on_line=lines.append) == 0, lines
            twice += [f"migration {line} in {environment}" for line in lines]
        return twice

    async def _of_instances(self) -> list[str]:
        """No more instances than the deployments that serve or stay warm have."""
        found = settings.load(home=self.stage.shipway_home)
        async with await psycopg.AsyncConnection.connect(found.database_url) as record:
            rows = await record.execute(
                "select service from runtime.instances i join releases.deployments d"
                " on d.served_by = i.deployment where d.state in ('live', 'warm', 'rolled_back')"
            )
            known = {row[0] for row in await rows.fetchall()}
        running = {one.name for one in await wiring.keeper(found).services("server.")}
        return [f"instance {name}" for name in sorted(running - known)]


TWICE = {
    "release of a commit": "select commit from releases.releases group by 1 having count(*) > 1",
    "deployment": "select release, environment from releases.deployments where kind = 'deploy'"
    " group by 1, 2 having count(*) > 1",
    "row of the outbox": "select sentence from health.outbox group by 1 having count(*) > 1",
    "event": "select sentence from releases.events group by 1 having count(*) > 1",
    "instance": "select deployment, index from runtime.instances where not leaving"
    " group by 1, 2 having count(*) > 1",
}
"""Queries of the record that find nothing while everything happened once."""
