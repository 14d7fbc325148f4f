"""What people ask for over the API, done by the worker's part, as the command line would have it."""

from __future__ import annotations

import asyncio
import pathlib
import types
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2
import pytest
from tests.fakes import platform, updates

from shipway.access.model import Role
from shipway.client.client import Client
from shipway.client.updates_wire import ChangeUpdates, RegisterBuild
from shipway.environments.vault import Vault
from shipway.kit import blobs, clock, db, errors
from shipway.releases.records import Deployments, Releases
from shipway.updates.office import Office
from shipway.workflows.platform import Platform
from shipway.workflows.updating import Updating

pytestmark = pytest.mark.anyio

APP = updates.APP

PRODUCT = """
name = "tiny"
[client]
folder = "client"
platforms = ["ios"]
[environments.production]
domain = "tiny.localhost"
"""

OLD = [{"type": "dir", "filePath": "node_modules/expo/ios", "hash": "1"}]
NEW = [*OLD, {"type": "dir", "filePath": "node_modules/expo-haptics/ios", "hash": "2"}]


@pytest.fixture
async def shipway(database: db.Database, home: pathlib.Path) -> AsyncIterator[updates.Shipway]:
    async with updates.served(database, home) as found:
        yield found


@pytest.fixture
async def api(
    database: db.Database, home: pathlib.Path, shipway: updates.Shipway
) -> AsyncIterator[Client]:
    """The API, with a worker that does at once what is asked for."""
    parts = platform.parts(database, home)
    store = blobs.Blobs(home / "artifacts")
    office = Office.of(database, store, Vault.at(home, opens=True), home)
    on = parts.platform
    worker = Updating(
        cast(
            "Platform",
            types.SimpleNamespace(
                updates=office,
                releases=on.releases,
                deployments=on.deployments,
                settings=on.settings,
            ),
        )
    )
    await parts.platform.apps.create(APP, "test")

    async def work() -> None:
        while True:
            await parts.remote.came.wait()
            parts.remote.came.clear()
            for start in parts.remote.started:
                await worker.perform(start.request["change"])

    async with platform.served(parts) as live:
        task = asyncio.create_task(work())
        async with live.client(await parts.token("ada", Role.OWNER)) as client:
            yield client
        task.cancel()


async def do(api: Client, **asked: Any) -> str:
    done = await api.change_updates(APP, ChangeUpdates(**asked))
    if done.state == "refused":
        raise errors.Refused(done.sentence)
    return done.about


async def test_updates_are_listed_and_shown(api: Client, shipway: updates.Shipway) -> None:
    group = await shipway.publish(message="first", assets={"png": b"picture"})
    (listed,) = (await api.updates(APP)).items
    assert (listed.id, listed.message, listed.per_mille) == (group.id, "first", 1000)
    shown = await api.update(APP, group.id)
    assert [one.platform for one in shown.manifests] == ["android", "ios"]
    assert (await api.update(APP, shown.manifests[0].id)).id == group.id


async def test_a_rollout_is_paused_raised_and_taken_back(
    api: Client, shipway: updates.Shipway
) -> None:
    await shipway.publish(code=b"1")
    group = await shipway.publish(code=b"2", per_mille=10)
    await do(api, action="pause", update=group.id)
    with pytest.raises(errors.Refused, match="is paused"):
        await do(api, action="share", update=group.id, per_mille=500)
    await do(api, action="resume", update=group.id)
    await do(api, action="share", update=group.id, per_mille=500)
    assert (await api.update(APP, group.id)).per_mille == 500
    back = await do(api, action="revert", update=group.id)
    assert (await api.update(APP, group.id)).state == "reverted"
    assert (await api.update(APP, back)).kind == "republish"


async def test_keys_rotate_and_their_certificates_are_shown(
    api: Client, shipway: updates.Shipway
) -> None:
    group = await shipway.publish()
    second = await do(api, action="rotate_key")
    offers = await shipway.offers(group)
    assert set(offers["ios"].signed.signatures) == {"main", second}
    await do(api, action="retire_key", key="main")
    with pytest.raises(errors.Refused, match="only key"):
        await do(api, action="retire_key", key=second)
    found = (await api.update_keys(APP)).items
    assert [key.retired is None for key in found] == [False, True]
    assert found[0].certificate.startswith("-----BEGIN CERTIFICATE-----")


async def test_a_channel_is_paused_and_pointed_elsewhere(
    api: Client, shipway: updates.Shipway
) -> None:
    await do(api, action="channel", name="production", paused=True)
    await do(api, action="channel", name="staging", branch="production")
    found = {one.name: (one.paused, one.branch) for one in (await api.update_channels(APP)).items}
    assert found == {"production": (True, "production"), "staging": (False, "production")}
    with pytest.raises(errors.Refused, match="no branch"):
        await do(api, action="channel", name="staging", branch="nowhere")


async def test_store_builds_are_registered(api: Client, shipway: updates.Shipway) -> None:
    body = RegisterBuild(platform="ios", version="1.0.0", runtime="1" * 40)
    made = await api.register_build(APP, body)
    assert (await api.store_builds(APP)).items == (made,)
    assert (await api.update_garbage(APP)).files == ()


async def test_a_build_whose_runtime_version_is_no_fingerprint_is_judged_once_it_has_one(
    api: Client, shipway: updates.Shipway
) -> None:
    def build(**given: str) -> RegisterBuild:
        return RegisterBuild(platform="ios", version="1.4.0", runtime="1.4.0", **given)

    config = {"runtimeVersion": {"policy": "appVersion"}, "version": "1.4.0"}
    version = await released(shipway, 1, "1" * 40, OLD)
    release = await Releases(shipway.database).get(version, app=APP)
    assert (await api.register_build(APP, build())).fingerprint == ""
    given: dict[str, Any] = {"platforms": ["ios"], "config": config}
    await shipway.publish(code=b"1", hash="1" * 40, release=release.id, **given)
    assert (await api.register_build(APP, build(release=version))).fingerprint == "1" * 40
    assert (await api.register_build(APP, build())).fingerprint == "1" * 40, "it stays known"
    with pytest.raises(errors.Refused, match=r"not what ios 1\.4\.0 stands for"):
        await shipway.publish(code=b"2", hash="2" * 40, **given)


async def test_devices_are_told_headers_to_send(api: Client, shipway: updates.Shipway) -> None:
    await shipway.publish(assets={"png": b"picture"})
    told = {"headers": {"shard": "7"}, "asset_headers": {"authorization": 'a "b"'}}
    await do(api, action="channel", name="production", **told)
    await shipway.settle()
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        device = {
            "expo-platform": "ios",
            "expo-protocol-version": "1",
            "expo-runtime-version": updates.RUNTIMES["ios"],
        }
        answer = await client.get(shipway.manifest_url, headers={**shipway.edge(), **device})
    assert answer.headers["expo-server-defined-headers"] == 'shard="7"'
    assert answer.text.count('{"authorization":"a \\"b\\""}') == 2
    with pytest.raises(errors.Refused, match="cannot be told"):
        await do(api, action="channel", name="production", headers={"É": "1"})


async def released(shipway: updates.Shipway, number: int, hash_: str, sources: list[Any]) -> str:
    """Record a release whose client has this native side. Returns its version."""
    path = shipway.home / "artifact"
    path.write_bytes(updates.export("ios", b"code %d" % number, {}))
    artifacts = {"ios.production": await shipway.store.put(path)}
    path.write_text(updates.fingerprint(hash_, sources))
    artifacts["fingerprint.ios"] = await shipway.store.put(path)
    made = await Releases(shipway.database).add(
        app=APP,
        run=f"run_{number}",
        commit=f"{number}" * 40,
        schema_head="",
        artifacts=artifacts,
        product=PRODUCT,
        changelog="- Add haptics",
        authors=["ada"],
    )
    return made.version


async def test_a_client_with_a_new_native_dependency_is_refused_with_the_reason(
    api: Client, shipway: updates.Shipway
) -> None:
    first = await released(shipway, 1, "1" * 40, OLD)
    deployments = Deployments(shipway.database)
    release = await Releases(shipway.database).get(first, app=APP)
    live = await deployments.ask(
        id="dep_1", release=release, environment="production", kind="deploy", by="ada", reason=""
    )
    await deployments.become_live(live, sentence="", warm_until=clock.now())
    published = await do(api, action="publish", release=first, environment="production")
    assert (await api.update(APP, published)).message == "Add haptics"
    await api.register_build(APP, RegisterBuild(platform="ios", version="1.0.0", runtime="1" * 40))
    second = await released(shipway, 2, "2" * 40, NEW)

    with pytest.raises(errors.Refused) as refused:
        await do(api, action="publish", release=second, environment="production")

    assert "native dependency expo-haptics added" in refused.value.what
    assert "A native build is needed" in refused.value.what
    assert (await api.updates(APP)).items[0].id == published
