"""Publishing: all platforms at once or not at all, in order, and only what phones can run."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
import os
from typing import Any

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.world import PICTURE, PLATFORMS, App, bundle, export
from tests.fakes import updates
from tests.fakes.expo_client.manifest import Manifest, Platform

from shipway.kit import errors
from shipway.updates import exports, manifests
from shipway.updates.garbage import Garbage
from shipway.updates.publishing import Publication
from shipway.updates.records import Records

pytestmark = pytest.mark.anyio


async def manifest(app: App, platform: Platform = "android", runtime: str = "1") -> Manifest | None:
    reply = await app.ask(expo_platform=platform, expo_runtime_version=runtime)
    return app.device(platform).reader.read(reply).manifest


async def test_both_platforms_become_visible_together(app: App) -> None:
    group = await app.publish("one")
    for platform in PLATFORMS:
        found = await manifest(app, platform)
        assert found is not None
        assert found.id == await app.id_of(group, platform)
        assert found.metadata["group"] == group.id


class Killed(BaseException):
    """The process comes to its end here."""


@each(
    "place name",
    ("reading the export", "Shipway", exports, "read"),
    ("before the group is recorded", "Shipway", Records, "add"),
    ("looking for what came before", "Shipway", Records, "latest_created"),
    ("within the transaction", "Shipway", manifests, "manifest"),
)
async def test_a_publish_that_is_killed_leaves_nothing_to_be_seen(
    app: App, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    before = await app.publish("one")

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(Killed):
            await app.publish("two", key="again-" + app.name)
    for platform in PLATFORMS:
        found = await manifest(app, platform)
        assert found is not None
        assert found.id == await app.id_of(before, platform)
    after = await app.publish("two", key="again-" + app.name)
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(after)


async def test_a_publish_killed_before_it_is_shown_is_shown_when_it_is_repeated(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.publish("one")

    async def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(app.world.shipway.boards, "refresh", killed)
        with pytest.raises(Killed):
            await app.publish("two", key="once-" + app.name)
    group = await app.publish("two", key="once-" + app.name)
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(group)


async def test_the_same_publish_twice_is_one(app: App) -> None:
    one = await app.publish("one", key="same-" + app.name)
    two = await app.publish("one", key="same-" + app.name)
    assert one.id == two.id


async def test_two_publishes_at_once_come_one_after_the_other(app: App) -> None:
    groups = await asyncio.gather(*(app.publish(f"text {number}") for number in range(4)))
    newest = max(groups, key=lambda group: group.number)
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(newest)
    times = [
        offer.created
        for group in sorted(groups, key=lambda group: group.number)
        for offer in await app.world.records.offers(group.id)
        if offer.platform == "android"
    ]
    assert times == sorted(set(times))


@pytest.mark.parametrize("change", ["a publish", "a republish", "a rollback"])
async def test_time_goes_on_when_the_clock_goes_back(app: App, change: str) -> None:
    """Android, iOS: what is not later is not loaded."""
    await app.publish("one")
    phone = app.device()
    phone.start()
    await app.publish("two")
    await phone.check()
    phone.start()
    app.world.move(-86_400)
    try:
        if change == "a publish":
            await app.publish("three")
        else:
            await app.roll_back("embedded" if change == "a rollback" else "")
        outcome = await phone.check()
        assert outcome.loaded or outcome.rolled_back, outcome.reason
    finally:
        app.world.move(86_400)


async def test_an_update_is_later_than_what_is_embedded_in_any_build(app: App) -> None:
    """expo/expo#40011: else the phone says updateRejectedBySelectionPolicy."""
    tomorrow = app.world.milliseconds() + 86_400_000
    phone = app.device(embedded_commit=tomorrow)
    await app.register(phone.build)
    await app.publish("one")
    phone.start()
    assert (await phone.check()).loaded


def listing(**changes: Any) -> dict[str, Any]:
    about = {"bundle": "b.hbc", "assets": [{"path": "assets/x", "ext": "png"}]}
    return {"version": 0, "bundler": "metro", "fileMetadata": {"android": about, "ios": about},
            **changes}  # fmt: skip


def archive(metadata: object, **files: bytes) -> bytes:
    known = {name.replace("__", "/"): data for name, data in files.items()}
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    return updates.packed({"metadata.json": text, "b.hbc": b"code", **known})


def naming(path: str, ext: str = "png") -> dict[str, Any]:
    about = {"bundle": "b.hbc", "assets": [{"path": path, "ext": ext}]}
    return listing(fileMetadata={"android": about, "ios": about})


@each(
    "made reason",
    ("an asset that is missing", "expo export", archive(listing()), "lacks its asset"),
    (
        "an asset with other bytes",
        "Metro",
        archive(listing(), assets__x=PICTURE),
        "other bytes than its name",
    ),
    ("a bundle that is missing", "expo export", updates.packed(
        {"metadata.json": json.dumps(naming("b.hbc")).encode()}), "lacks its bundle"),
    ("no list", "expo export", updates.packed({"b.hbc": b"code"}), "holds no metadata.json"),
    ("a list that is no JSON", "expo export", archive(b"{"), "is not JSON"),
    ("a list that is an array", "expo export", archive(b"[]"), "not an object"),
    ("another version of the list", "expo export", archive(listing(version=1)), "with Metro"),
    ("another bundler", "expo export", archive(listing(bundler="webpack")), "with Metro"),
    ("no platform", "expo export", archive(listing(fileMetadata={})), "holds no bundle for"),
    ("an ending that is a path", "Shipway", archive(naming("b.hbc", "/../x")), "that is none"),
    ("a path upwards", "Shipway", archive(naming("../../etc/passwd")), "lacks its asset"),
    ("no tar", "Shipway", b"PK\3\4 not a tar", "cannot be unpacked|holds no metadata"),
)  # fmt: skip
async def test_an_export_is_refused_that_has(app: App, made: bytes, reason: str) -> None:
    before = await app.publish("one")
    with pytest.raises(errors.Refused, match=reason):
        await app.publish_artifact(made)
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(before)


async def test_a_manifest_over_the_limit_is_refused(app: App) -> None:
    config = {"runtimeVersion": "1", "extra": {"text": "x" * 600_000}}
    made = export(PLATFORMS, bundle("one"), {}, config)
    with pytest.raises(errors.Refused, match="the most is"):
        await app.publish_artifact(made)
    assert await app.world.records.groups(app.name) == []


async def test_when_one_platform_is_bad_the_other_is_not_published_either(app: App) -> None:
    config = {"runtimeVersion": "1"}
    good = await app.world.store(export(["android"], bundle("one"), {}, config))
    bad = await app.world.store(archive(listing()))
    await app.publish("zero")
    before = [await manifest(app, platform) for platform in PLATFORMS]
    publication = Publication(
        app=app.name,
        branch="production",
        key="half-" + app.name,
        base_url=app.world.url,
        exports={"android": good, "ios": bad},
    )
    with pytest.raises(errors.Refused):
        await app.shown(app.world.shipway.publisher.publish(publication))
    assert [await manifest(app, platform) for platform in PLATFORMS] == before


async def test_a_file_of_an_update_is_there_before_its_manifest(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shipway: never a manifest whose assets are not all there."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(app.world.shipway.files, "_add", full)
        with pytest.raises(OSError, match="No space"):
            await app.publish("one")
    assert await app.world.records.groups(app.name) == []


# --- what may go over the air -----------------------------------------------------------------------


async def test_before_any_build_is_registered_anything_may_be_published(app: App) -> None:
    await app.publish("one", runtime="whatever")
    assert (await manifest(app, runtime="whatever")) is not None


async def test_an_update_that_no_build_can_receive_is_refused(app: App) -> None:
    await app.register(app.device().build)
    with pytest.raises(errors.Refused, match="A native build is needed"):
        await app.publish("one", platforms=["android"], runtime="2")


async def test_builds_of_another_platform_say_nothing(app: App) -> None:
    await app.register(app.device("ios").build)
    await app.publish("one", platforms=["android"], runtime="2")
    assert (await manifest(app, runtime="2")) is not None


SOURCES = [
    {"type": "dir", "filePath": "node_modules/expo-camera/android", "hash": "1"},
    {"type": "contents", "id": "expoConfig", "hash": "2"},
]


@each(
    "sources words",
    (
        "a native dependency was added",
        "@expo/fingerprint",
        [*SOURCES, {"type": "dir", "filePath": "node_modules/@scope/new/ios", "hash": "3"}],
        "native dependency @scope/new added",
    ),
    (
        "a native dependency was removed",
        "@expo/fingerprint",
        SOURCES[1:],
        "native dependency expo-camera removed",
    ),
    (
        "a native dependency was changed",
        "@expo/fingerprint",
        [{**SOURCES[0], "hash": "9"}, SOURCES[1]],
        "native dependency expo-camera changed",
    ),
    (
        "the SDK was changed",
        "@expo/fingerprint",
        [*SOURCES, {"type": "dir", "filePath": "node_modules/expo/android", "hash": "3"}],
        "the SDK",
    ),
    (
        "the configuration was changed",
        "@expo/fingerprint",
        [SOURCES[0], {**SOURCES[1], "hash": "9"}],
        "configuration expoConfig changed",
    ),
)
async def test_the_refusal_says_that(app: App, sources: list[dict[str, str]], words: str) -> None:
    known = updates.fingerprint("a" * 40, SOURCES).encode()
    changed = updates.fingerprint("b" * 40, sources).encode()
    first = await app.world.store(known)
    await app.publish("one", fingerprints=dict.fromkeys(PLATFORMS, first))
    await app.register(app.device().build, fingerprint="a" * 40)
    second = await app.world.store(changed)
    with pytest.raises(errors.Refused, match=words) as refused:
        await app.publish("two", fingerprints=dict.fromkeys(PLATFORMS, second))
    assert "A native build is needed" in str(refused.value)


async def test_what_is_published_again_is_not_thrown_away_meanwhile(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shipway: never a manifest whose assets are not all there."""
    shipway = app.world.shipway
    code = b"once garbage, now code of " + app.name.encode()
    name = hashlib.sha256(code).hexdigest()
    path = shipway.files.path(name)
    await shipway.files.add(await shipway.store.path(await app.world.store(code)), name, "bundle")
    os.utime(path, (0, 0))
    garbage = Garbage(shipway.database, shipway.files, now=shipway.clock)
    assert name in (await garbage.find()).files
    add = Records.add

    async def collected_first(*given: Any) -> None:
        # Far from the transaction that is under way, as in a process of its own.
        await asyncio.create_task(garbage.remove(), context=contextvars.Context())
        await add(*given)

    monkeypatch.setattr(Records, "add", collected_first)
    await app.publish(code=code, assets={})
    phone = app.device()
    phone.start()
    outcome = await phone.check()
    assert outcome.loaded, outcome.reason


async def test_a_key_that_is_made_during_a_publish_signs_that_too(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shipway: else phones with the new certificate could not take the newest update."""
    await app.publish("one")
    recording, goes_on, add = asyncio.Event(), asyncio.Event(), Records.add

    async def slow(*given: Any) -> None:
        recording.set()
        await goes_on.wait()
        await add(*given)

    monkeypatch.setattr(Records, "add", slow)
    publish = asyncio.create_task(app.publish("two"))
    await recording.wait()
    rotate = asyncio.create_task(app.shown(app.world.changes.rotate_key(app.name)))
    held = "select 1 as held from pg_locks where locktype = 'advisory' and not granted"
    while not (rotate.done() or await app.world.shipway.database.rows(held)):  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.01)
    goes_on.set()
    group, key = await asyncio.gather(publish, rotate)
    phone = app.device(trust=await app.trust(key.id))
    phone.start()
    assert (await phone.check()).loaded == await app.id_of(group)
