"""A release's server and its update go the same way: on one plan, in the same shares, and back."""

from __future__ import annotations

import pathlib
import types
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import cast

import pytest
from tests.fakes import updates
from tests.fakes.edge import FakeEdge
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.build import Build
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.wire import Reply

from shipway.access.approvals import Approvals
from shipway.access.people import People
from shipway.builds.logs import Logs
from shipway.builds.model import RunKind
from shipway.builds.records import Runs
from shipway.edge.tables import Steering
from shipway.health.outbox import Outbox
from shipway.kit import clock, db, settings
from shipway.releases.model import Deployment
from shipway.releases.records import Deployments, Releases
from shipway.updates.office import Office
from shipway.workflows.deploying import Deploying, Stage, Way
from shipway.workflows.platform import Platform
from shipway.workflows.traffic import INTAKE, Traffic

pytestmark = pytest.mark.anyio

APP = updates.APP
RUNTIME = updates.RUNTIMES["ios"]
PLAN = (10, 500, 1000)

PRODUCT = """
name = "tiny"
[client]
folder = "client"
platforms = ["ios", "web"]
[environments.production]
domain = "tiny.localhost"
"""


class Instances:
    """There are none: the app has no server."""

    async def running(self, app: str, environment: str) -> list[object]:
        return []

    async def discard(self, app: str, environment: str, release: str) -> None: ...


class Variables:
    """The app has no secrets."""

    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class World:
    """A platform without servers of apps, whose edge takes every table."""

    shipway: updates.Shipway
    on: Platform
    edge: FakeEdge

    async def deployment(self, number: int, plan: tuple[int, ...] = (1000,)) -> Deployment:
        """Record a release with its update, and that it is to enter production."""
        run = await self.on.runs.create(
            APP, "main", f"{number:040x}", push=number, kind=RunKind.FULL, by="ada"
        )
        path = self.shipway.home / "artifact"
        path.write_bytes(updates.export("ios", b"code %d" % number, {}))
        artifacts = {"ios.production": await self.on.blobs.put(path)}
        path.write_text(updates.fingerprint(RUNTIME))
        artifacts["fingerprint.ios"] = await self.on.blobs.put(path)
        path.write_bytes(updates.packed({"index.html": b"%d" % number}))
        artifacts["web.production"] = await self.on.blobs.put(path)
        release = await self.on.releases.add(
            app=APP, run=run.id, commit=f"{number:040x}", schema_head="", artifacts=artifacts,
            product=PRODUCT, changelog=f"- Change {number}", authors=["ada"],
        )  # fmt: skip
        return await self.on.deployments.ask(
            id=f"dep_{number}", release=release, environment="production", kind="deploy",
            by="ada", reason="", plan=plan,
        )  # fmt: skip

    def share_at_the_edge(self, release: str) -> int:
        """Return the share of the web export of a release, which goes with its server."""
        [route] = [route for route in self.edge.table.routes if route.host == "tiny.localhost"]
        told = [(share.headers["x-shipway-exports"], share.per_mille) for share in route.shares]
        return sum(share for exports, share in told if exports.startswith(release))

    def phone(self) -> Device:
        async def fetch(url: str, headers: Mapping[str, str]) -> Reply:
            await self.shipway.settle()
            here = self.shipway.base_url + url.removeprefix("https://tiny.localhost")
            return await wire.get(here, {**headers, **self.shipway.edge()})

        build = Build(
            platform="ios",
            url="https://tiny.localhost/_updates/manifest",
            runtime_version=RUNTIME,
            embedded_id=str(uuid.uuid4()),
        )
        device = Device(build, lambda: int(clock.now().timestamp() * 1000), fetch=fetch)
        device.start()
        return device


@pytest.fixture
async def world(database: db.Database, home: pathlib.Path) -> AsyncIterator[World]:
    async with updates.served(database, home) as shipway:
        runs, edge = Runs(database), FakeEdge()
        traffic = Traffic(Steering(database, edge), edge, home / "ca.pem")
        await traffic.serve_platform(host="x.localhost", api="127.0.0.1:1", intake="127.0.0.1:2")
        parts = types.SimpleNamespace(
            settings=settings.load(home=home, https_port=443),
            approvals=Approvals(database),
            people=People(database),
            instances=Instances(),
            variables=Variables(),
            runs=runs,
            logs=Logs(home / "logs", runs.notify),
            blobs=shipway.store,
            releases=Releases(database),
            deployments=Deployments(database),
            traffic=traffic,
            outbox=Outbox(database),
            updates=Office.of(database, shipway.store, shipway.keys._vault, home),
        )
        yield World(shipway, cast("Platform", parts), edge)


def way_of(deployment: Deployment) -> Way:
    total = len(deployment.plan)
    stages = (
        Stage(name=f"{index + 1} of {total}", index=index, per_mille=per_mille)
        for index, per_mille in enumerate(deployment.plan)
    )
    return Way(deployment=deployment.id, stages=tuple(stages))


async def is_live(world: World, deployment: Deployment) -> None:
    """Have a deployment enter at once."""
    do, way = Deploying(world.on), way_of(deployment)
    await do.publish_update(way)
    for stage in way.stages:
        await do.shift(stage, way)
    await world.on.deployments.become_live(deployment, sentence="", warm_until=clock.now())


async def test_server_and_update_have_the_same_share_at_every_stage(world: World) -> None:
    await is_live(world, await world.deployment(1))
    second = await world.deployment(2, PLAN)
    export = (await world.on.releases.get(second.release)).artifacts["web.production"]
    do, way = Deploying(world.on), way_of(second)
    await do.publish_update(way)
    group = await world.on.updates.records.group_of_key(f"deploy:{second.id}")
    assert group
    assert (group.per_mille, world.share_at_the_edge(export)) == (0, 0)
    for stage in way.stages:
        for _ in range(2):  # a step may run twice
            await do.shift(stage, way)
        group = await world.on.updates.records.group(group.id)
        assert group.per_mille == stage.per_mille
        assert world.share_at_the_edge(export) == stage.per_mille
    assert group.state == "whole"
    assert INTAKE in {pool.name for pool in world.edge.table.pools}


async def test_what_people_do_to_the_update_meanwhile_stays(world: World) -> None:
    await is_live(world, await world.deployment(1))
    second = await world.deployment(2, PLAN)
    do, way = Deploying(world.on), way_of(second)
    await do.publish_update(way)
    group = await world.on.updates.records.group_of_key(f"deploy:{second.id}")
    assert group
    first, half, whole = way.stages
    await do.shift(first, way)
    await world.on.updates.changes.share(group.id, 700)
    await do.shift(half, way)
    assert (await world.on.updates.records.group(group.id)).per_mille == 700
    await world.on.updates.changes.pause(group.id)
    await do.shift(whole, way)
    paused = await world.on.updates.records.group(group.id)
    assert (paused.state, paused.per_mille) == ("paused", 700)


async def test_a_release_that_fails_on_the_way_takes_both_back(world: World) -> None:
    await is_live(world, await world.deployment(1))
    user = world.phone()
    first = (await user.check()).loaded
    assert first
    user.start()
    second = await world.deployment(2, PLAN)
    export = (await world.on.releases.get(second.release)).artifacts["web.production"]
    do, way = Deploying(world.on), way_of(second)
    await do.publish_update(way)
    for stage in way.stages:
        await do.shift(stage, way)
    assert (await user.check()).loaded
    bad = user.start()

    await do.withdraw(second.id, "It does not answer.")

    assert world.share_at_the_edge(export) == 0
    assert (await user.check()).loaded
    back = user.start()
    assert back.launch.hash != bad.launch.hash
    assert user.storage.files[back.launch.file_name] == b"code 1"
