"""Bundles of native builds: handed in over the API, taken up by the worker, patched from."""

from __future__ import annotations

import pathlib
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.fakes import platform, updates

from shipway.access.model import Role
from shipway.client.client import Client
from shipway.client.updates_wire import RegisterBuild
from shipway.environments.vault import Vault
from shipway.kit import db, errors
from shipway.updates.office import Office

pytestmark = pytest.mark.anyio

APP = updates.APP


@dataclass(frozen=True)
class People:
    owner: Client
    reader: Client


@pytest.fixture
async def shipway(database: db.Database, home: pathlib.Path) -> AsyncIterator[updates.Shipway]:
    async with updates.served(database, home) as found:
        yield found


@pytest.fixture
def office(shipway: updates.Shipway) -> Office:
    vault = Vault.at(shipway.home, opens=True)
    return Office.of(shipway.database, shipway.store, vault, shipway.home)


@pytest.fixture
async def people(shipway: updates.Shipway) -> AsyncIterator[People]:
    parts = platform.parts(shipway.database, shipway.home)
    await parts.platform.apps.create(APP, "test")
    owner, reader = await parts.token("ada", Role.OWNER), await parts.token("bob", Role.VIEWER)
    async with (
        platform.served(parts) as live,
        live.client(owner) as as_owner,
        live.client(reader) as as_reader,
    ):
        yield People(as_owner, as_reader)


async def test_the_bundle_of_a_build_is_handed_in_and_patched_from(
    shipway: updates.Shipway, office: Office, people: People
) -> None:
    embedded, bundle = str(uuid.uuid4()), random.Random(3).randbytes(1_500_000)
    name = await people.owner.hand_in_bundle(APP, bundle)
    assert await people.owner.hand_in_bundle(APP, bundle) == name, "it may be repeated"
    body = RegisterBuild(
        platform="ios", version="1.0.0", runtime="1" * 40, embedded=embedded, bundle=name
    )
    await people.owner.register_build(APP, body)
    group = await shipway.publish(code=bundle, platforms=["ios"])
    await office.make_patches()
    (made,) = [
        one for one in (await people.owner.update(APP, group.id)).patches if one.base == name
    ]
    assert made.offered, made.sentence
    assert list((shipway.home / "updates" / "inbox").iterdir()) == [], "it was taken up"


async def test_a_bundle_that_is_none_is_not_taken(
    shipway: updates.Shipway, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = RegisterBuild(platform="ios", version="1.0.0", runtime="1", bundle="0" * 64)
    with pytest.raises(errors.NotFound, match="Nobody has handed in"):
        await people.owner.register_build(APP, body)
    path = f"/v1/apps/{APP}/embedded-bundles"
    for name, reason in (
        ("0" * 64, "other bytes"),
        ("x", "no SHA-256"),
        ("..%2f..%2fx", "Not Found"),
    ):
        with pytest.raises(errors.ShipwayError, match=reason):
            await people.owner._put(f"{path}/{name}", b"a bundle")
    with pytest.raises(errors.Denied):
        await people.reader.hand_in_bundle(APP, b"a bundle")
    monkeypatch.setattr("shipway.updates.inbox.LARGEST_BUNDLE", 100)
    with pytest.raises(errors.Invalid, match="at most 100"):
        await people.owner.hand_in_bundle(APP, b"0" * 101)
    assert not list(shipway.home.glob("updates/inbox/*")), "nothing half is left"
    assert not list(shipway.home.glob("updates/inbox/.*"))


async def test_a_bundle_with_other_bytes_than_its_name_is_not_taken_up(
    shipway: updates.Shipway, office: Office
) -> None:
    """Whoever breaks into the API must not choose what devices are patched from."""
    inbox = shipway.home / "updates" / "inbox"
    inbox.mkdir()
    (inbox / ("0" * 64)).write_bytes(b"something else")
    (inbox / ("1" * 64)).symlink_to("/etc/passwd")
    assert await office.inbox.take_up() == 1
    assert not shipway.files.all()
