"""The API's platform with real records and repositories; only what runs is laid out by a test."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import pathlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shipway.access.answers import Answers
from shipway.access.approvals import Approvals
from shipway.access.audit import Audit
from shipway.access.model import Role
from shipway.access.passwords import Passwords
from shipway.access.people import People
from shipway.access.sessions import Sessions
from shipway.api import app, serving
from shipway.api.pushes import SOCKET
from shipway.builds.logs import Logs
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.client.client import Client
from shipway.console import app as console
from shipway.database.backups.records import Records
from shipway.database.records import Records as SchemaRecords
from shipway.database.rehearsed import Rehearsed
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.environments.vault import Vault
from shipway.health.channels import Channels
from shipway.health.outbox import Outbox
from shipway.kit import db, durable, settings
from shipway.kit.blobs import Blobs
from shipway.releases.records import Deployments, Releases
from shipway.runtime.model import Address, Kind, Observed, Owner, Place
from shipway.updates.office import Office
from shipway.workflows.backup_requests import BackupRequests
from shipway.workflows.front import ApiPlatform, OpenId
from shipway.workflows.requests import Requests
from shipway.workflows.schema import SchemaRequests


class Remote(durable.Remote):
    """Remembers what was started instead of starting it."""

    def __init__(self) -> None:
        self.started: list[durable.Start] = []
        self.sent: list[tuple[str, str, Mapping[str, Any]]] = []
        self.came = asyncio.Event()

    async def start(self, start: durable.Start) -> None:
        self.started.append(start)
        self.came.set()

    async def send(
        self, workflow: str, topic: str, message: Mapping[str, Any], *, key: str
    ) -> None:
        self.sent.append((workflow, topic, message))

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Instance:
    id: str
    release: str
    address: Address


@dataclass
class Machine:
    """What runs, as the test says."""

    names: list[str] = field(default_factory=list)
    servers: list[Instance] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    async def services(self, prefix: str = "") -> Sequence[Observed]:
        return [
            Observed(
                name=name,
                owner=Owner(Kind.API),
                up=True,
                pid=100,
                since=datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC),
                restarts=0,
                wanted_up=True,
            )
            for name in self.names
            if name.startswith(prefix)
        ]

    async def running(self, app: str, environment: str) -> Sequence[Instance]:
        return self.servers

    async def alive(self, instance: Any, /) -> bool:
        return True

    async def everywhere(self) -> Sequence[tuple[Place, bool]]:
        return [(place, True) for place in self.places]


@dataclass(frozen=True)
class Parts:
    """A platform and what a test does with it."""

    platform: ApiPlatform
    remote: Remote
    machine: Machine

    async def token(self, person: str, role: Role) -> str:
        """Make a person and return a token of theirs."""
        people = self.platform.people
        if person not in {known.name for known in await people.list()}:
            await people.add(person, role, [f"{person}@example.org"])
        return (await people.issue_token(person, "test"))[1]


def parts(
    database: db.Database, home: pathlib.Path, *, openid: OpenId | None = None, **given: Any
) -> Parts:
    """Put a platform together below a folder."""
    Vault.create(home)
    (home / "run").mkdir(exist_ok=True)
    runs, sources, remote, machine = Runs(database), Sources(home / "git"), Remote(), Machine()
    vault = Vault.at(home)
    platform = ApiPlatform(
        settings=settings.load(home=home, **given),
        database=database,
        people=People(database),
        passwords=Passwords(database),
        sessions=Sessions(database),
        approvals=Approvals(database),
        audit=Audit(database),
        answers=Answers(database),
        apps=Apps(database),
        variables=Variables(database, vault),
        vault=vault,
        runs=runs,
        passes=Passes(database),
        sources=sources,
        logs=Logs(home / "logs" / "runs", runs.notify),
        releases=Releases(database),
        deployments=Deployments(database),
        instances=machine,
        services=machine,
        channels=Channels(database, vault),
        outbox=Outbox(database),
        updates=Office.of(database, Blobs(home / "artifacts"), vault, home),
        backups=Records(database),
        requests=Requests(database, sources, remote),
        backup_requests=BackupRequests(database, remote),
        openid=openid,
        schema=SchemaRecords(database),
        rehearsed=Rehearsed(database),
        schema_requests=SchemaRequests(database, remote),
    )
    return Parts(platform, remote, machine)


@dataclass(frozen=True)
class Live(Parts):
    """A platform whose API is served by uvicorn on a free port."""

    url: str
    server: serving.Server

    def client(self, token: str) -> Client:
        return Client(self.url, token)


@contextlib.asynccontextmanager
async def served(of: Parts, *, port: int = 0) -> AsyncIterator[Live]:
    """Serve a platform until the block ends, as `python -m shipway.api` does."""
    application = app.create(of.platform)
    console.install(application, of.platform)
    server = serving.server(application)
    listeners = [serving.tcp(port), serving.unix(of.platform.settings.run / SOCKET)]
    url = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
    task = asyncio.create_task(server.serve(sockets=listeners))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not task.done(), task.result()
        yield Live(of.platform, of.remote, of.machine, url, server)
    finally:
        server.stop()
        await task
        for listener in listeners:
            listener.close()
