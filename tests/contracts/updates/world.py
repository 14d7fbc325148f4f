"""Shipway's updates as a phone sees them: published by the worker's parts, served over HTTP.

One `World` lasts for a whole test session; each test has an `App` of its own in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import io
import itertools
import json
import pathlib
import socket
import tarfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from shipway.environments.vault import Vault
from shipway.intake import boards as served_boards
from shipway.intake.app import Intake
from shipway.intake.exports import Exports
from shipway.intake.sightings import Sightings
from shipway.intake.updates import CHANNEL, Updates
from shipway.kit import db
from shipway.kit.blobs import Blobs
from shipway.updates import manifests
from shipway.updates.boards import Boards
from shipway.updates.changing import Changes
from shipway.updates.files import Files
from shipway.updates.keys import Keys
from shipway.updates.patching import Patcher, Patches
from shipway.updates.publishing import Publication, Publisher
from shipway.updates.records import Group, Records
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.build import Build
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply

PLATFORMS: tuple[Platform, ...] = ("android", "ios")
MAIN = "production"
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


class Clock:
    """The time of server and phones alike; a test may move it."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime.datetime:
        return self.moment

    def milliseconds(self) -> int:
        return int(self.moment.timestamp() * 1000)

    def move(self, seconds: float) -> None:
        self.moment += datetime.timedelta(seconds=seconds)


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
    return packed(files)


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class World:
    """All parts, and the address at which intake answers."""

    database: db.Database
    home: pathlib.Path
    url: str
    clock: Clock
    store: Blobs
    files: Files
    keys: Keys
    boards: Boards
    publisher: Publisher
    changes: Changes
    records: Records
    served: served_boards.Boards
    sightings: Sightings
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def app(self, name: str = "") -> App:
        return App(self, name or f"app{next(self.numbers)}")


@contextlib.asynccontextmanager
async def running(database: db.Database, home: pathlib.Path) -> AsyncIterator[World]:
    """Serve what is published in a home, on loopback."""
    clock = Clock()
    vault = Vault.create(home)
    public, own = home / "updates", home / "owners" / "intake"
    (public / "boards").mkdir(parents=True)
    (public / "files").mkdir()
    own.mkdir(parents=True)
    store, files = Blobs(home / "artifacts"), Files(public / "files")
    keys = Keys(database, vault, now=clock)
    boards = Boards(database, keys, public / "boards")
    served = served_boards.Boards(public / "boards")
    sightings = Sightings(own / "updates" / "sightings")
    intake = Intake(Exports(own / "exports", store), Updates(served, files, sightings))
    async with _listening(intake) as url:
        yield World(
            database=database,
            home=home,
            url=url,
            clock=clock,
            store=store,
            files=files,
            keys=keys,
            boards=boards,
            publisher=Publisher(database, store, files, keys, boards, now=clock),
            changes=Changes(database, keys, boards, now=clock),
            records=Records(database),
            served=served,
            sightings=sightings,
        )


@contextlib.asynccontextmanager
async def _listening(intake: Intake) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        intake, log_level="warning", access_log=False, server_header=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    ready = asyncio.Event()
    started = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await started(sockets)
        ready.set()

    server.startup = startup  # type: ignore[method-assign] # it has no event to wait for
    serving = asyncio.create_task(server._serve([listener]))
    try:
        await asyncio.wait_for(ready.wait(), 20)
        yield "http://127.0.0.1:{}".format(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 20)


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
        draft = self.world.home / f"export-{uuid.uuid4()}.tar"
        draft.write_bytes(archive)
        digest = await self.world.store.put(draft)
        publication = Publication(
            app=self.name,
            branch=branch,
            key=key or f"{self.name}-{next(self._keys)}",
            base_url=self.world.url,
            exports=dict.fromkeys(platforms, digest),
            **changes,
        )
        return await self.shown(self.world.publisher.publish(publication))

    async def shown(self, change: Any) -> Any:
        """Await a change, and let intake see it at once."""
        try:
            return await change
        finally:
            await self.world.served.load()

    async def roll_back(self, to: str = "", branch: str = MAIN) -> Group:
        key = f"{self.name}-{next(self._keys)}"
        change = self.world.changes.roll_back(self.name, branch, key=key, author="ann", to=to)
        group: Group = await self.shown(change)
        return group

    async def share(self, group: Group, per_mille: int) -> None:
        await self.shown(self.world.changes.share(group.id, per_mille))

    async def change_channel(self, name: str = MAIN, **changes: Any) -> None:
        await self.shown(self.world.changes.change_channel(self.name, name, **changes))

    async def make_patches(self, branch: str = MAIN) -> None:
        patches, patcher = Patches(self.world.database), Patcher(self.world.files)
        for pair in await patches.wanted(self.name, branch, most=10):
            await patches.keep(self.name, await patcher.make(pair))
        await self.shown(self.world.boards.refresh(self.name))

    async def register(self, build: Build, *, with_bundle: bool = True, **changes: Any) -> None:
        """Record a build as being in users' hands."""
        launch = ""
        if with_bundle:
            launch = hashlib.sha256(build.embedded_bundle).hexdigest()
            draft = self.world.home / f"embedded-{uuid.uuid4()}"
            draft.write_bytes(build.embedded_bundle)
            await self.world.files.add(draft, launch, manifests.BUNDLE)
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
        await self.shown(self.world.boards.refresh(self.name))

    async def id_of(self, group: Group, platform: str = "android", runtime: str = "1") -> str:
        """Return the id of the update that a group offers to a platform."""
        offers = await self.world.records.offers(group.id)
        return next(o.id for o in offers if (o.platform, o.runtime) == (platform, runtime))

    async def certificate(self, keyid: str = "main") -> str:
        return (await self.world.keys.get(self.name, keyid)).certificate

    async def trust(self, keyid: str = "main") -> Trust:
        return Trust(await self.certificate(keyid), keyid)

    # --- what a phone does ------------------------------------------------------------------------

    async def fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Pass a request on as the edge does: it names the channel of the host."""
        return await wire.get(url, [*headers.items(), (CHANNEL, f"{self.name}/{self.channel}")])

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
            "embedded_commit": self.world.clock.milliseconds() - 86_400_000,
            "embedded_bundle": bundle("embedded"),
        }
        build = Build(platform, **known | changes)
        clock = self.world.clock.milliseconds
        return Device(build, clock, fetch=self.fetch, client_id=client_id)
