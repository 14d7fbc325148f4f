"""A small Shipway for updates: the worker's parts on a real database, and intake on a real port.

    async def test_something(database: db.Database, home: pathlib.Path) -> None:
        async with updates.served(database, home) as shipway:
            group = await shipway.publish(code=b"first", assets={"png": b"a picture"})
            answer = await client.get(
                shipway.manifest_url, headers={**shipway.edge(), "expo-platform": "ios", ...}
            )

`served` starts `shipway.intake.app.Intake` under uvicorn on loopback, as the real process does.
``shipway.edge(channel)`` are the headers that the edge would add: without them nothing is served.
``publish`` makes an export of ``code`` and ``assets`` (ending to bytes), publishes it by the real
`Publisher`, signed by the app's key, and returns when intake serves it. Everything else is
done by ``shipway.changes`` (share, pause, resume, roll_back, change_channel, rotate_key); call
``await shipway.settle()`` after it. ``register_build`` records a store build. ``offers(group)``
are the updates of a group as recorded: id, platform, runtime, created, signed.body.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import io
import json
import pathlib
import tarfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from shipway.environments.vault import Vault
from shipway.intake.app import Intake
from shipway.intake.boards import Boards as Served
from shipway.intake.exports import Exports
from shipway.intake.sightings import Sightings
from shipway.intake.updates import CHANNEL, Updates
from shipway.kit import blobs, clock, db
from shipway.updates import manifests
from shipway.updates.assets import Assets
from shipway.updates.boards import Boards
from shipway.updates.changing import Changes
from shipway.updates.files import Files
from shipway.updates.keys import Keys
from shipway.updates.publishing import Publication, Publisher
from shipway.updates.records import Group, Offer, Records

APP = "tiny"
RUNTIMES = {"ios": "1" * 40, "android": "2" * 40}


@dataclass
class Clock:
    """The present moment, moved by ``ahead``; a test may move it backwards too."""

    ahead: datetime.timedelta = datetime.timedelta()

    def __call__(self) -> datetime.datetime:
        return clock.now() + self.ahead


@dataclass
class Shipway:
    """The worker's parts and a running intake."""

    home: pathlib.Path
    port: int
    database: db.Database
    store: blobs.Blobs
    files: Files
    keys: Keys
    boards: Boards
    publisher: Publisher
    changes: Changes
    records: Records
    intake_boards: Served
    sightings: Sightings
    clock: Clock = field(default_factory=Clock)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def manifest_url(self) -> str:
        return f"{self.base_url}{manifests.MANIFEST}"

    def edge(self, channel: str = "production", app: str = APP) -> dict[str, str]:
        """The headers that the edge adds to a request for a channel's host."""
        return {CHANNEL: f"{app}/{channel}"}

    async def publish(
        self,
        *,
        code: bytes = b"code",
        assets: Mapping[str, bytes] | None = None,
        platforms: Sequence[str] = ("ios", "android"),
        channel: str = "production",
        runtime: str = "",
        sources: Sequence[Mapping[str, Any]] = (),
        config: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> Group:
        """Publish code (for each platform with its name before it) and wait until it is served.

        ``runtime`` is what the public configuration says; without it, it is the fingerprint's
        hash from `RUNTIMES`. ``given`` goes to `Publication`: per_mille, message, release, key…
        """
        digests, fingerprints = {}, {}
        for platform in platforms:
            public = {**(config or {}), **({"runtimeVersion": runtime} if runtime else {})}
            bundle = platform.encode() + b"\n" + code
            path = self.home / f"{uuid.uuid4().hex}.tar"
            path.write_bytes(export(platform, bundle, assets or {}, public))
            digests[platform] = await self.store.put(path)
            path.write_text(fingerprint(given.pop("hash", "") or RUNTIMES[platform], sources))
            fingerprints[platform] = await self.store.put(path)
        publication = Publication(
            app=APP,
            branch=channel,
            key=given.pop("key", uuid.uuid4().hex),
            base_url=given.pop("base_url", self.base_url),
            exports=digests,
            fingerprints=fingerprints,
            **given,
        )
        group = await self.publisher.publish(publication)
        await self.settle()
        return group

    async def offers(self, group: Group) -> dict[str, Offer]:
        """The updates of a group by platform."""
        return {offer.platform: offer for offer in await self.records.offers(group.id)}

    async def roll_back(self, to: str = "", channel: str = "production") -> Group:
        made = await self.changes.roll_back(
            APP, channel, key=uuid.uuid4().hex, author="test", to=to
        )
        await self.settle()
        return made

    async def certificate(self, key: str = "") -> str:
        """The PEM certificate of a key; the newest one without a name."""
        return (await self.keys.get(APP, key)).certificate

    async def register_build(self, platform: str = "ios", **given: Any) -> None:
        """Record a store build: version, runtime, fingerprint, embedded, committed (ms), launch."""
        build = {
            "platform": platform,
            "version": "1.0.0",
            "runtime": RUNTIMES[platform],
            "fingerprint": RUNTIMES[platform],
            "embedded": str(uuid.uuid4()),
            "committed": 0,
            "launch": "",
            "by": "test",
            **given,
        }
        await self.records.add_store_build(APP, **build)
        await self.boards.refresh(APP)
        await self.settle()

    async def settle(self) -> None:
        """Have intake see the boards as they are now, as it would within 0.2 seconds."""
        await self.intake_boards.load()


def export(
    platform: str, code: bytes, assets: Mapping[str, bytes], config: Mapping[str, Any] | None = None
) -> bytes:
    """Return an export of one platform as the builds pack it."""
    bundle = f"_expo/static/js/{platform}/entry-{hashlib.sha1(code).hexdigest()}.hbc"
    listed = [
        {"path": f"assets/{hashlib.md5(data).hexdigest()}", "ext": ending}
        for ending, data in assets.items()
    ]
    metadata = {
        "version": 0,
        "bundler": "metro",
        "fileMetadata": {platform: {"bundle": bundle, "assets": listed}},
    }
    files = {bundle: code, "metadata.json": json.dumps(metadata).encode()}
    files["expoConfig.json"] = json.dumps(dict(config or {"name": APP})).encode()
    files |= {one["path"]: data for one, data in zip(listed, assets.values(), strict=True)}
    return packed(files)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return files as a tar file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def fingerprint(hash_: str, sources: Sequence[Mapping[str, Any]] = ()) -> str:
    return json.dumps({"hash": hash_, "sources": list(sources)})


@contextlib.asynccontextmanager
async def served(database: db.Database, home: pathlib.Path) -> AsyncIterator[Shipway]:
    """Serve updates until the block ends. The channels are production and staging."""
    vault, time = Vault.create(home), Clock()
    public = home / "updates"
    files = Files(public / "files")
    keys = Keys(database, vault, now=time)
    boards = Boards(database, keys, public / "boards")
    store = blobs.Blobs(home / "artifacts")
    own = home / "owners" / "intake" / "updates"
    watched, sightings = Served(public / "boards"), Sightings(own / "sightings")
    intake = Intake(
        Exports(own.parent / "exports", store), Updates(watched, Files(files.folder), sightings)
    )
    records = Records(database)
    await keys.ensure(APP)
    for channel in ("production", "staging"):
        await records.channel(APP, channel)
    await boards.refresh(APP)
    async with running(intake) as port:
        yield Shipway(
            home=home,
            port=port,
            database=database,
            store=store,
            files=files,
            keys=keys,
            boards=boards,
            publisher=Publisher(database, store, files, keys, boards, now=time),
            changes=Changes(database, keys, boards, Assets(store, files), now=time),
            records=records,
            intake_boards=watched,
            sightings=sightings,
            clock=time,
        )


@contextlib.asynccontextmanager
async def running(application: Any) -> AsyncIterator[int]:
    """Serve an ASGI application by uvicorn on a free port of loopback."""
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not task.done(), task.result()
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
