"""Shipway's updates as a phone sees them: published by the worker's parts, served over HTTP.

One `World` lasts for a whole test session; each test has an `App` of its own in it.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.fakes import updates
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.build import Build
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply
from tests.fakes.updates import Shipway

from shipway.updates import manifests, signing
from shipway.updates.patching import Patcher, Patches
from shipway.updates.publishing import Publication
from shipway.updates.records import Group

PLATFORMS: tuple[Platform, ...] = ("android", "ios")
MAIN = "production"

_KEYS: dict[str, tuple[str, str]] = {}


@contextlib.contextmanager
def sharing_keys() -> Iterator[None]:
    """Let all apps have the same keys, one for each id: an RSA key takes half a second."""
    make = signing.make

    def make_once(name: str, *, now: datetime.datetime) -> tuple[str, str]:
        keyid = name.rpartition(" ")[2]
        if keyid not in _KEYS:
            _KEYS[keyid] = make(name, now=now)
        return _KEYS[keyid]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(signing, "make", make_once)
        yield


def bundle(text: str, size: int = 4000) -> bytes:
    """Return a bundle: mostly the same for every text, as one build's is to the next."""
    noise = hashlib.shake_256(b"the same code").digest(size // 2)
    return b"// hermes " + text.encode() + noise + b"function f() { return 1 } " * (size // 52)


PICTURE = b"\x89PNG" + hashlib.shake_256(b"picture").digest(900)
FONT = b"OTTO" + b"glyphs " * 300


def export(
    platforms: Sequence[str],
    code: bytes,
    assets: Mapping[str, bytes],
    config: Mapping[str, Any],
) -> bytes:
    """Return a tar as `expo export` would fill it; ``assets`` maps names such as ``a.png``."""
    files: dict[str, bytes] = {}
    listed = []
    for name, data in assets.items():
        path = f"assets/{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
        files[path] = data
        listed.append({"path": path, "ext": name.rpartition(".")[2]})
    about = {}
    for platform in platforms:
        path = f"_expo/static/js/{platform}/index-abc.hbc"
        files[path] = code
        about[platform] = {"bundle": path, "assets": listed}
    metadata = {"version": 0, "bundler": "metro", "fileMetadata": about}
    files["metadata.json"] = json.dumps(metadata).encode()
    files["expoConfig.json"] = json.dumps(config).encode()
    return updates.packed(files)


class World:
    """A running Shipway with room for many apps. Server and phones have the same clock."""

    def __init__(self, shipway: Shipway) -> None:
        self.shipway = shipway
        self.url = shipway.base_url
        self.records = shipway.records
        self.changes = shipway.changes
        self.clock = shipway.clock
        self._numbers = itertools.count()

    def milliseconds(self) -> int:
        """Return the time since 1970."""
        return int(self.clock().timestamp() * 1000)

    def move(self, seconds: float) -> None:
        """Move the clock, backwards too."""
        self.clock.ahead += datetime.timedelta(seconds=seconds)

    def app(self, name: str = "") -> App:
        return App(self, name or f"app{next(self._numbers)}")

    async def store(self, data: bytes) -> str:
        """Put an artifact into the store; return its digest."""
        draft = self.shipway.home / f"draft-{uuid.uuid4()}"
        draft.write_bytes(data)
        digest = await self.shipway.store.put(draft)
        draft.unlink()
        return digest


class App:
    """An app with a channel, its publisher and its phones."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.channel = MAIN
        self._keys = itertools.count(1)

    @property
    def url(self) -> str:
        return self.world.url + manifests.MANIFEST

    # --- what the platform does -------------------------------------------------------------------

    async def publish(
        self,
        text: str = "one",
        *,
        platforms: Sequence[str] = PLATFORMS,
        runtime: str = "1",
        branch: str = MAIN,
        assets: Mapping[str, bytes] | None = None,
        code: bytes | None = None,
        key: str = "",
        **changes: Any,
    ) -> Group:
        """Publish an export; return its group."""
        config = {"name": self.name, "slug": self.name, "runtimeVersion": runtime}
        given = {"a.png": PICTURE, "b.ttf": FONT} if assets is None else assets
        made = export(platforms, code if code is not None else bundle(text), given, config)
        return await self.publish_artifact(
            made, platforms=platforms, branch=branch, key=key, **changes
        )

    async def publish_artifact(
        self,
        archive: bytes,
        *,
        platforms: Sequence[str] = PLATFORMS,
        branch: str = MAIN,
        key: str = "",
        **changes: Any,
    ) -> Group:
        digest = await self.world.store(archive)
        publication = Publication(
            app=self.name,
            branch=branch,
            key=key or f"{self.name}-{next(self._keys)}",
            base_url=self.world.url,
            exports=dict.fromkeys(platforms, digest),
            **changes,
        )
        group: Group = await self.shown(self.world.shipway.publisher.publish(publication))
        return group

    async def shown(self, change: Any) -> Any:
        """Await a change, and let intake see it at once."""
        try:
            return await change
        finally:
            await self.world.shipway.settle()

    async def roll_back(self, to: str = "", branch: str = MAIN) -> Group:
        key = f"{self.name}-{next(self._keys)}"
        change = self.world.changes.roll_back(self.name, branch, key=key, author="ann", to=to)
        group: Group = await self.shown(change)
        return group

    async def share(self, group: Group, per_mille: int) -> None:
        await self.shown(self.world.changes.share(group.id, per_mille))

    async def change_channel(self, name: str = MAIN, **changes: Any) -> None:
        await self.shown(self.world.changes.change_channel(self.name, name, **changes))

    async def open_channel(self) -> None:
        """Make the channel before anything is published."""
        await self.world.records.channel(self.name, self.channel)
        await self.shown(self.world.shipway.boards.refresh(self.name))

    async def make_patches(self, branch: str = MAIN) -> None:
        shipway = self.world.shipway
        patches, patcher = Patches(shipway.database), Patcher(shipway.files)
        for pair in await patches.wanted(self.name, branch, most=10):
            await patches.keep(self.name, await patcher.make(pair))
        await self.shown(self.world.shipway.boards.refresh(self.name))

    async def register(self, build: Build, *, with_bundle: bool = True, **changes: Any) -> None:
        """Record a build as being in users' hands."""
        launch = ""
        if with_bundle:
            launch = hashlib.sha256(build.embedded_bundle).hexdigest()
            artifact = await self.world.store(build.embedded_bundle)
            path = await self.world.shipway.store.path(artifact)
            await self.world.shipway.files.add(path, launch, manifests.BUNDLE)
        known: dict[str, Any] = {
            "platform": build.platform,
            "version": "1.0.0",
            "runtime": build.runtime_version,
            "fingerprint": "",
            "embedded": build.embedded_id or "",
            "committed": build.embedded_commit,
            "launch": launch,
            "by": "ann",
        }
        await self.world.records.add_store_build(self.name, **known | changes)
        await self.shown(self.world.shipway.boards.refresh(self.name))

    async def id_of(self, group: Group, platform: str = "android", runtime: str = "1") -> str:
        """Return the id of the update that a group offers to a platform."""
        offers = await self.world.records.offers(group.id)
        return next(o.id for o in offers if (o.platform, o.runtime) == (platform, runtime))

    async def certificate(self, keyid: str = "main") -> str:
        await self.world.shipway.keys.ensure(self.name)
        return (await self.world.shipway.keys.get(self.name, keyid)).certificate

    async def trust(self, keyid: str = "main") -> Trust:
        return Trust(await self.certificate(keyid), keyid)

    # --- what a phone does ------------------------------------------------------------------------

    async def fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Pass a request on as the edge does: it names the channel of the host."""
        edge = self.world.shipway.edge(self.channel, self.name)
        return await wire.get(url, [*headers.items(), *edge.items()])

    async def ask(self, **changes: str | None) -> Reply:
        """Ask for a manifest as an Android 57 would; ``expo_platform="ios"`` changes a header and
        None leaves it out."""
        known: dict[str, str | None] = {
            "accept": "multipart/mixed,application/expo+json,application/json",
            "expo-platform": "android",
            "expo-protocol-version": "1",
            "expo-runtime-version": "1",
            "eas-client-id": "5f0a1c3e-9a3c-4a53-8a9b-0d6f7b1f2a31",
        }
        known |= {name.replace("_", "-"): value for name, value in changes.items()}
        told = {name: value for name, value in known.items() if value is not None}
        return await self.fetch(self.url, told)

    def device(self, platform: Platform = "android", **changes: Any) -> Device:
        """Return a phone that has just been set up."""
        client_id = changes.pop("client_id", None)
        known: dict[str, Any] = {
            "url": self.url,
            "runtime_version": "1",
            "request_headers": {"expo-channel-name": self.channel},
            "embedded_id": str(uuid.uuid4()),
            "embedded_commit": self.world.milliseconds() - 86_400_000,
            "embedded_bundle": bundle("embedded"),
        }
        build = Build(platform, **known | changes)
        return Device(build, self.world.milliseconds, fetch=self.fetch, client_id=client_id)
