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
from shipway.kit import blobs, db, errors
from shipway.updates.office import Office
from shipway.workflows.platform import Platform
from shipway.workflows.updating import Updating

pytestmark = pytest.mark.anyio

APP = updates.APP


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
    worker = Updating(cast("Platform", types.SimpleNamespace(updates=office)))
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


async def test_devices_are_told_headers_to_send(api: Client, shipway: updates.Shipway) -> None:
    await shipway.publish(assets={"png": b"picture"})
    told = {"headers": {"shard": "7"}, "asset_headers": {"authorization": 'a "b"'}}
    await do(api, action="channel", name="production", **told)
    await shipway.settle()
    async with httpx2.AsyncClient(trust_env=False) as client:
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
