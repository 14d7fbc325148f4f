"""Patches: offered to phones that run the base, proven, and never in the way of the whole."""

from __future__ import annotations

import asyncio
import pathlib
import random
import uuid
from dataclasses import dataclass

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.world import PLATFORMS, App, World, bundle
from tests.fakes.expo_client import patches
from tests.fakes.expo_client.build import sha256
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.wire import Reply
from tests.fakes.second_opinion import bspatch

from shipway.updates.patching import Patches

pytestmark = pytest.mark.anyio

CLIENT, RFC = "Android, iOS", "RFC 3229"
SIZE = 40_000


def code(text: str) -> bytes:
    """Return a bundle that does not compress well, so that a patch is worth it."""
    return b"// hermes " + text.encode() + random.Random(7).randbytes(SIZE)


@dataclass(frozen=True)
class Patched:
    """An app that went from one update to the next, with a patch between them."""

    app: App
    before: str
    after: str
    address: str

    async def get(self, **changes: str | None) -> Reply:
        known: dict[str, str | None] = {
            "a-im": "bsdiff",
            "accept-encoding": "zstd, br, gzip",
            "expo-platform": "android",
            "expo-current-update-id": self.before,
            "expo-requested-update-id": self.after,
        }
        known |= {name.replace("_", "-"): value for name, value in changes.items()}
        told = {name: value for name, value in known.items() if value is not None}
        return await self.app.fetch(self.address, told)


@pytest.fixture(scope="session")
async def patched(world: World) -> Patched:
    app = world.app("patched")
    before = await app.publish(code=code("one"), assets={})
    after = await app.publish(code=code("two"), assets={})
    await app.publish(code=code("other"), assets={}, runtime="2")
    await app.make_patches()
    manifest = app.device().reader.read(await app.ask()).manifest
    assert manifest is not None
    return Patched(app, await app.id_of(before), await app.id_of(after), manifest.launch.url)


async def test_a_patch_is_recognised_and_gives_the_new_bundle(patched: Patched) -> None:
    reply = await patched.get()
    assert reply.status == 226
    assert reply.header("im") == "bsdiff"
    assert reply.header("expo-base-update-id") == patched.before
    assert reply.header("content-encoding") is None
    assert patches.apply(code("one"), reply.body) == code("two")
    assert len(reply.body) < SIZE / 10


async def test_expos_bspatch_applies_it(patched: Patched) -> None:
    reply = await patched.get()
    assert bspatch.apply(code("one"), reply.body) == code("two")


async def test_no_cache_mixes_a_patch_up_with_the_whole(patched: Patched) -> None:
    reply = await patched.get()
    assert reply.header("cache-control") == "private, no-store"
    named = {name.strip() for name in (reply.header("vary") or "").split(",")}
    assert {"a-im", "expo-current-update-id"} <= named
    assert reply.header("etag") is None


@each(
    "changes",
    ("A-IM in capitals", RFC, {"a_im": "BSDIFF"}),
    ("A-IM among others", RFC, {"a_im": "vcdiff, bsdiff;q=0.5"}),
    ("the base in capitals", "iOS", {"expo_current_update_id": "UPPER"}),
    ("the target in capitals", "iOS", {"expo_requested_update_id": "UPPER"}),
)
async def test_the_patch_is_given_for(patched: Patched, changes: dict[str, str]) -> None:
    ids = {"expo_current_update_id": patched.before, "expo_requested_update_id": patched.after}
    told = {name: ids[name].upper() if v == "UPPER" else v for name, v in changes.items()}
    reply = await patched.get(**told)
    assert reply.status == 226
    assert (reply.header("expo-base-update-id") or "").lower() == patched.before


@each(
    "changes",
    ("no A-IM", CLIENT, {"a_im": None}),
    ("another A-IM", RFC, {"a_im": "vcdiff"}),
    ("A-IM of weight zero", RFC, {"a_im": "bsdiff;q=0"}),
    ("a word that only contains it", RFC, {"a_im": "xbsdiff"}),
    ("no base", CLIENT, {"expo_current_update_id": None}),
    ("an unknown base", CLIENT, {"expo_current_update_id": str(uuid.uuid4())}),
    ("a base that is no id", "Shipway", {"expo_current_update_id": "../x"}),
    ("the target as its own base", CLIENT, {"expo_current_update_id": "SELF"}),
    ("no target", CLIENT, {"expo_requested_update_id": None}),
    ("another target", CLIENT, {"expo_requested_update_id": str(uuid.uuid4())}),
    ("base and target exchanged", CLIENT, {"expo_requested_update_id": "BASE"}),
    ("the base of another runtime version", "Shipway", {"expo_current_update_id": "OTHER"}),
)
async def test_the_whole_is_given_for(patched: Patched, changes: dict[str, str | None]) -> None:
    newest = await patched.app.world.records.newest(patched.app.name, "production")
    assert newest is not None
    other = await patched.app.id_of(newest, runtime="2")
    named = {"SELF": patched.after, "BASE": patched.before, "OTHER": other}
    reply = await patched.get(**{name: named.get(v or "", v) for name, v in changes.items()})
    assert reply.status == 200
    assert reply.header("im") is None
    assert reply.decoded == code("two")


async def test_only_the_bundle_is_ever_a_patch(app: App) -> None:
    before = await app.publish(code=code("one"), assets={"a.bin": code("one")})
    after = await app.publish(code=code("two"), assets={"a.bin": code("two")})
    await app.make_patches()
    manifest = app.device().reader.read(await app.ask()).manifest
    assert manifest is not None
    [asset] = manifest.assets
    told = {
        "a-im": "bsdiff",
        "expo-current-update-id": await app.id_of(before),
        "expo-requested-update-id": await app.id_of(after),
    }
    reply = await app.fetch(asset.url, told)
    assert reply.status == 200
    assert reply.decoded == code("two")


async def updated(phone: Device) -> None:
    """Load what is offered and start it."""
    outcome = await phone.check()
    assert outcome.loaded, outcome.reason
    phone.start()
    phone.content_appeared()


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("apply", [patches.apply, bspatch.apply], ids=["bsdiff4", "Expo's bspatch"])
async def test_a_phone_goes_from_update_to_update_by_patches(
    app: App, platform: Platform, apply: object
) -> None:
    phone = app.device(platform)
    phone.downloads._patch = apply  # type: ignore[assignment] # either of the two
    phone.start()
    await app.publish(code=code("one"), assets={})
    await updated(phone)
    whole = phone.downloads.received
    for text in ("two", "three"):
        await app.publish(code=code(text), assets={})
        await app.make_patches()
        await updated(phone)
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (2, 0)
    assert phone.downloads.received - whole < whole / 10
    assert sha256(code("three")) in {sha256(data) for data in phone.storage.files.values()}


async def test_a_fresh_install_is_patched_from_its_embedded_bundle(app: App) -> None:
    phone = app.device(embedded_bundle=code("embedded"))
    await app.register(phone.build)
    await app.publish(code=code("one"), assets={})
    await app.make_patches()
    phone.start()
    await updated(phone)
    assert phone.downloads.patched == 1


async def test_an_embedded_bundle_that_nobody_handed_in_is_no_base(app: App) -> None:
    phone = app.device(embedded_bundle=code("embedded"))
    await app.register(phone.build, with_bundle=False)
    await app.publish(code=code("one"), assets={})
    await app.make_patches()
    phone.start()
    await updated(phone)
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (0, 0)


async def test_a_phone_whose_base_is_damaged_loads_the_whole(app: App) -> None:
    phone = app.device()
    phone.start()
    await app.publish(code=code("one"), assets={})
    await updated(phone)
    await app.publish(code=code("two"), assets={})
    await app.make_patches()
    phone.storage.files = dict.fromkeys(phone.storage.files, b"damaged")
    phone.downloads._storage = phone.storage
    await updated(phone)
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (0, 1)


async def test_nothing_is_offered_when_the_patch_is_not_clearly_smaller(app: App) -> None:
    phone = app.device()
    phone.start()
    await app.publish(code=bundle("one", size=400), assets={})
    await updated(phone)
    await app.publish(code=random.Random(1).randbytes(2000), assets={})
    await app.make_patches()
    await updated(phone)
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (0, 0)
    tried = await Patches(app.world.shipway.database).all(app.name)
    assert all(made.sentence for made in tried if not made.offered)


async def test_a_patch_that_is_gone_is_no_hindrance(app: App) -> None:
    await app.publish(code=code("gone one"), assets={})
    phone = app.device()
    phone.start()
    await updated(phone)
    await app.publish(code=code("gone two"), assets={})
    await app.make_patches()
    for made in await Patches(app.world.shipway.database).all(app.name):
        if made.offered:
            pathlib.Path(app.world.shipway.files.path(made.file)).unlink(missing_ok=True)
    await updated(phone)
    assert phone.downloads.patched == 0


async def test_after_a_rollback_there_is_a_patch_back(app: App) -> None:
    """facts/client-builds.md, 7: backwards patches are as small."""
    phone = app.device()
    phone.start()
    await app.publish(code=code("one"), assets={})
    await updated(phone)
    await app.publish(code=code("two"), assets={})
    await updated(phone)
    await app.roll_back()
    await app.make_patches()
    phone.storage.files.pop(next(n for n, d in phone.storage.files.items() if d == code("one")))
    await updated(phone)
    assert phone.downloads.patched == 1


async def test_an_update_of_the_other_platform_is_no_base(app: App) -> None:
    """The two have different bytes."""
    ios = await app.publish(code=code("ios"), assets={}, platforms=["ios"])
    await app.publish(code=code("android"), assets={}, platforms=["android"])
    await app.make_patches()
    manifest = app.device().reader.read(await app.ask()).manifest
    assert manifest is not None
    told = {
        "a-im": "bsdiff",
        "expo-current-update-id": await app.id_of(ios, "ios"),
        "expo-requested-update-id": manifest.id,
    }
    reply = await app.fetch(manifest.launch.url, told)
    assert (reply.status, reply.decoded) == (200, code("android"))


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "empty"])
async def test_a_patch_that_is_damaged_on_disk_costs_one_more_request(
    app: App, damage: str
) -> None:
    phone = app.device()
    phone.start()
    await app.publish(code=code(f"{damage} one"), assets={})
    await updated(phone)
    await app.publish(code=code(f"{damage} two"), assets={})
    await app.make_patches()
    [made] = [m for m in await Patches(app.world.shipway.database).all(app.name) if m.offered]
    path = app.world.shipway.files.path(made.file)
    data = path.read_bytes()
    path.write_bytes({"cut off": data[:50], "other bytes": data[::-1], "empty": b""}[damage])
    await updated(phone)
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (0, 1)


async def test_two_workers_that_make_the_same_patches_make_them_once(app: App) -> None:
    for text in ("one", "two"):
        await app.publish(code=code(f"twice {text}"), assets={})
    await asyncio.gather(app.make_patches(), app.make_patches())
    made = await Patches(app.world.shipway.database).all(app.name)
    assert len({(one.base, one.target) for one in made}) == len(made)
    assert all(app.world.shipway.files.path(one.file).exists() for one in made if one.offered)
