"""The composition root: settings become drivers, and drivers become a platform.

The only place that chooses a driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shipway.access.answers import Answers
from shipway.access.approvals import Approvals
from shipway.access.audit import Audit
from shipway.access.passwords import Passwords
from shipway.access.people import People
from shipway.access.sessions import Sessions
from shipway.builds import tools
from shipway.builds.logs import Logs
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.builds.steps import Builder
from shipway.database.backups.keeping import Backups
from shipway.database.backups.records import Records as BackupRecords
from shipway.database.clusters import Clusters
from shipway.database.copies import Dumped
from shipway.database.migrations import Migrations
from shipway.database.ports import Ports
from shipway.database.records import Records as SchemaRecords
from shipway.database.rehearsed import Rehearsed
from shipway.database.rehearsing import Rehearsals
from shipway.database.store import create_store
from shipway.edge.ca import Authority
from shipway.edge.drivers.envoy import Envoy
from shipway.edge.tables import Steering
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.environments.vault import Vault
from shipway.health.channels import Channels
from shipway.health.courier import Courier
from shipway.health.outbox import Outbox
from shipway.kit import blobs, db, durable, errors, migrate
from shipway.kit.settings import Settings
from shipway.releases.records import Deployments, Releases
from shipway.runtime import listening
from shipway.runtime.drivers import boot
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.instances import Instances
from shipway.runtime.model import Kind, Owner, Service
from shipway.runtime.port import Keeper
from shipway.updates.office import Office
from shipway.workflows import names, schema
from shipway.workflows.backup_requests import BackupRequests
from shipway.workflows.deliver import deliver
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploy import deploy
from shipway.workflows.deploying import Deploying
from shipway.workflows.ending import Stories, end
from shipway.workflows.front import ApiPlatform, OpenId
from shipway.workflows.housekeeping import Housekeeping, keep_house
from shipway.workflows.operations import Operations
from shipway.workflows.platform import Platform
from shipway.workflows.promote import promote
from shipway.workflows.promoting import Promoting, Promotion
from shipway.workflows.requests import Requests
from shipway.workflows.roll_back import roll_back
from shipway.workflows.traffic import Traffic
from shipway.workflows.updating import Updating, carry_out

ANSWER_SECONDS = 15.0
"""The API gives up on a statement that takes longer: whoever waits for a page is told so."""
EDGE_GRACE = 60.0
"""Requests under way at the edge have so many seconds to end."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What the worker runs with."""

    platform: Platform
    database: db.Database
    edge: Envoy
    engine: durable.Engine
    requests: Requests
    backup_requests: BackupRequests
    courier: Courier


def keeper(settings: Settings) -> Keeper:
    """Everybody but the steward speaks to the steward."""
    return SocketKeeper(settings.run / "steward.sock")


@contextlib.asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """Put the worker together: it alone opens secrets, builds, deploys and steers."""
    database = db.Database(settings.database_url, name="worker", size=12)
    await database.open()
    remote = durable.Remote(settings.database_url)
    try:
        vault = Vault.at(settings.home, opens=True)
        edge = envoy(settings)
        platform = _platform(settings, database, vault, edge)
        engine = durable.Engine(settings.database_url, queues=names.QUEUES)
        operations = Operations.of(platform)
        _register(engine, platform, operations)
        for name, story in operations.stories().items():
            engine.register(name, story)
        yield Worker(
            platform=platform,
            database=database,
            edge=edge,
            engine=engine,
            requests=Requests(database, platform.sources, remote),
            backup_requests=BackupRequests(database, remote),
            courier=Courier(database, vault, settings),
        )
    finally:
        await remote.close()
        await database.close()


@contextlib.asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[ApiPlatform]:
    """Put the API together: it reads, records and asks; it opens no secret and runs nothing."""
    database = db.Database(
        settings.database_url, name="api", size=12, statement_seconds=ANSWER_SECONDS
    )
    await database.open()
    remote = durable.Remote(settings.database_url)
    try:
        sources, runs = Sources(settings.home / "git"), Runs(database)
        yield ApiPlatform(
            settings=settings,
            database=database,
            people=People(database),
            passwords=Passwords(database),
            sessions=Sessions(database),
            approvals=Approvals(database),
            audit=Audit(database),
            answers=Answers(database),
            apps=Apps(database),
            variables=Variables(database, Vault.at(settings.home)),
            vault=Vault.at(settings.home),
            runs=runs,
            passes=Passes(database),
            sources=sources,
            logs=Logs(settings.home / "logs" / "runs", runs.notify),
            releases=Releases(database),
            deployments=Deployments(database),
            instances=Instances(keeper(settings), database, settings),
            services=keeper(settings),
            channels=Channels(database, Vault.at(settings.home)),
            outbox=Outbox(database),
            updates=Office.of(
                database,
                blobs.Blobs(settings.home / "artifacts"),
                Vault.at(settings.home),
                settings.home,
            ),
            backups=BackupRecords(database),
            requests=Requests(database, sources, remote),
            backup_requests=BackupRequests(database, remote),
            openid=openid(settings, database),
            schema=SchemaRecords(database),
            rehearsed=Rehearsed(database),
            schema_requests=schema.SchemaRequests(database, remote),
        )
    finally:
        await remote.close()
        await database.close()


def openid(settings: Settings, database: db.Database) -> OpenId | None:
    """Return the provider that the settings name."""
    if not settings.oidc_issuer:
        return None
    from shipway.access import openid as provider  # noqa: PLC0415 -- few need its tenth of a second

    return provider.OpenId(
        People(database),
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=settings.oidc_client_secret,
        claim=settings.oidc_claim,
    )


async def up(settings: Settings) -> str | None:
    """Start this Shipway, or whatever of it is down. May be repeated.

    Returns the first owner's token when there was no owner yet: it is not shown again.
    """
    machine = await boot.boot(settings)
    await tools.install(settings.home)
    await create_store(machine, settings.home)
    await migrate.migrate(settings.database_url)
    await _make_vault(machine, settings.home)
    for service in services(settings):
        await machine.keep(service)
    await boot.wait_for_api(machine, settings)
    # Last, because it is shown once: nothing may fail between here and the person.
    return await _first_owner(settings)


async def down(settings: Settings, *, forget: bool) -> None:
    """Stop everything, apps included; with ``forget`` leave nothing behind."""
    await boot.shut_down(settings, forget=forget)


def services(settings: Settings) -> tuple[Service, ...]:
    """The processes of Shipway's own that are kept, in the order in which they start."""
    return tuple(
        Service(
            owner=Owner(kind),
            name=kind.value,
            argv=(sys.executable, "-P", "-m", f"shipway.{kind.value}"),
            env=boot.environment(settings),
        )
        for kind in (Kind.INTAKE, Kind.WORKER, Kind.API)
    )


async def start_edge(parts: Worker) -> None:
    """Have the edge running with the table on record. May be repeated."""
    found, edge = parts.platform.settings, parts.edge
    await edge.prepare()
    await _ports_must_be_ours(found)
    await keeper(found).keep(_edge_service(edge))
    await parts.platform.traffic.serve_platform(
        host=found.platform_host,
        api=f"127.0.0.1:{found.api_port}",
        intake=f"127.0.0.1:{found.intake_port}",
    )


async def _ports_must_be_ours(settings: Settings) -> None:
    """Raise `errors.Conflict` when another program has a port of the edge: a program of our own
    user, such as the edge of another Shipway, would share it with ours in silence."""
    edges = await keeper(settings).services(Kind.EDGE)
    if any(one.up or one.orphans for one in edges):
        return
    taken = listening.users()
    for port in (settings.http_port, settings.https_port):
        if port in taken:
            raise errors.Conflict(
                f"Another program listens on port {port}.",
                fix="End it, or set `http_port` and `https_port` in settings.toml.",
            )


def _edge_service(edge: Envoy) -> Service:
    return Service(
        owner=Owner(Kind.EDGE),
        name=Kind.EDGE.value,
        argv=edge.argv,
        grace=EDGE_GRACE,
        bind_low_ports=edge.low_ports,
    )


async def _make_vault(machine: Keeper, home: pathlib.Path) -> None:
    """Make the vault's keys; the private one is the worker's alone."""
    await asyncio.to_thread(Vault.create, home)
    worker = await machine.provide(Owner(Kind.WORKER))
    for path in (home / "secrets", home / "secrets" / "vault.key"):
        await asyncio.to_thread(shutil.chown, path, worker.owner())


async def _first_owner(settings: Settings) -> str | None:
    database = db.Database(settings.database_url, name="up", size=1)
    await database.open()
    try:
        return await People(database).first_owner()
    finally:
        await database.close()


def _platform(settings: Settings, database: db.Database, vault: Vault, edge: Envoy) -> Platform:
    machine, home = keeper(settings), settings.home
    runs, variables = Runs(database), Variables(database, vault)
    logs = Logs(home / "logs" / "runs", runs.notify)
    sources = Sources(home / "git")
    store = blobs.Blobs(home / "artifacts", settings.blob_url)
    ports = Ports(database, settings.database_ports, listening.is_free)
    clusters = Clusters(machine, home, variables, variables.given_database, ports=ports)

    return Platform(
        settings=settings,
        apps=Apps(database),
        variables=variables,
        people=People(database),
        approvals=Approvals(database),
        runs=runs,
        passes=Passes(database),
        keeper=machine,
        sources=sources,
        builder=Builder(machine, store, sources, database, logs, settings),
        logs=logs,
        blobs=store,
        releases=Releases(database),
        deployments=Deployments(database),
        instances=Instances(machine, database, settings),
        clusters=clusters,
        backups=Backups(machine, clusters, database, variables, vault, settings),
        migrations=Migrations(machine, database, clusters),
        rehearsals=Rehearsals(machine, clusters, Dumped(machine, home, clusters)),
        rehearsed=Rehearsed(database),
        schema=SchemaRecords(database),
        traffic=Traffic(Steering(database, edge), edge, settings.home / "ca" / "ca.pem"),
        outbox=Outbox(database),
        updates=Office.of(database, store, vault, home, external=settings.update_signer),
    )


def envoy(settings: Settings) -> Envoy:
    return Envoy(
        settings.home / "edge",
        authority=Authority(settings.home / "ca"),
        private=_EdgeKeys(keeper(settings)),
        settings=settings,
    )


class _EdgeKeys:
    """The folder of the edge's owner, where its keys are."""

    def __init__(self, machine: Keeper) -> None:
        self._machine = machine
        self._owner = Owner(Kind.EDGE)

    async def folder(self) -> pathlib.Path:
        return await self._machine.provide(self._owner)

    async def write(self, path: str, data: bytes) -> None:
        await self._machine.write(self._owner, path, data)

    async def remove(self, path: str) -> None:
        await self._machine.remove(self._owner, path)


def _register(engine: durable.Engine, platform: Platform, operations: Operations) -> None:
    """Make each story known to the engine, with the steps that it is told with."""
    delivering, deploying = Delivering(platform), Deploying(platform)
    promoting = Promoting(platform)

    async def run(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await deliver(request["run"], delivering))

    async def enter(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await deploy(request["deployment"], deploying))

    async def take_back(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await roll_back(request["deployment"], deploying))

    async def move_up(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await promote(Promotion(**request), promoting))

    updating, housekeeping = Updating(platform), Housekeeping(platform)
    stories = Stories(
        delivering=delivering,
        deploying=deploying,
        promoting=promoting,
        updating=updating,
        housekeeping=housekeeping,
        operations=operations,
        schema=schema.register(engine, platform),
    )

    async def end_it(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await end(request["workflow"], request["request"], stories))

    async def change_updates(request: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(await carry_out(request["change"], updating))

    async def tidy_up(request: Mapping[str, Any]) -> dict[str, Any]:
        name, by, dry_run = request["pass"], request["by"], request["dry_run"]
        return asdict(await keep_house(name, housekeeping, by=by, dry_run=dry_run))

    engine.register(names.END, end_it)
    engine.register(names.HOUSEKEEPING, tidy_up)
    engine.register(names.UPDATE, change_updates)
    engine.register(names.DELIVER, run)
    engine.register(names.DEPLOY, enter)
    engine.register(names.ROLL_BACK, take_back)
    # It waits for weeks, through many a restart of the worker.
    engine.register(names.PROMOTE, move_up, recoveries=100_000)
