"""`kill -9` before every write, commit and file of what the worker does about updates.

Real phones' rules, real files, a real database and a real `intake`, which looks after each death: what
it offers is whole, the same for both platforms, and either what was there before or what was asked for.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
import urllib.parse
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from tests.chaos import dying_worker, tally
from tests.fakes import updates
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.build import Build
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply

from shipway.client.updates_wire import ChangeUpdates
from shipway.kit import clock, db
from shipway.releases.records import Deployments, Releases
from shipway.updates import board as boards
from shipway.updates import manifests
from shipway.updates.adoption import Adoption

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

LONG = bool(os.environ.get("SHIPWAY_KILL_AT"))
"""In `./dev test` what is done twice is spared the second time."""

APP, FAILING = updates.APP, 4
PLATFORMS: tuple[Platform, ...] = ("ios", "android")
UPKEEP = ""
"""Not a change that somebody asked for, but what the worker does by itself."""

PRODUCT = """
name = "tiny"
[client]
folder = "client"
platforms = ["ios", "android"]
[environments.production]
domain = "tiny.localhost"
"""


class Mortal:
    """A worker that dies again and again, and what phones see meanwhile."""

    def __init__(self, shipway: updates.Shipway, process: asyncio.subprocess.Process) -> None:
        self.shipway = shipway
        self.kills: Counter[str] = Counter()
        self._process = process

    async def ask(self, action: str, **asked: Any) -> str:
        """Have something done in spite of all deaths. Returns the update or key that came of it."""
        body = ChangeUpdates.model_validate({"action": action, **asked})
        arguments = body.model_dump(exclude={"action"})
        change = await self.shipway.records.ask(APP, action, arguments, "ada")
        await self.outlive(action, change.id)
        ended = await self.shipway.records.change(change.id)
        assert ended.state == "done", ended.sentence
        return ended.about

    async def outlive(self, what: str, change: str) -> None:
        """Do it again after each death, until it comes to its end."""
        spared = what in self.kills and not LONG
        (self.shipway.home / "seen").write_text(dying_worker.SPARED if spared else "")
        states, board = [await self.offered()], self._board()
        while died := await self._live(change):
            self.kills[what] += 1
            # Phones see nothing but the board and the files that it names, and those only come.
            if (now := self._board()) != board and (state := await self.offered()) != states[-1]:
                states.append(state)
            board = now
            assert len(states) <= 2, f"{states} before {died}"

    async def _live(self, change: str) -> str:
        """Have the worker live once. Returns what it died before, or ""."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{change}\n".encode())
        line = await self._process.stdout.readline()
        assert line, "the worker's own process has ended"
        return line.decode().strip()

    def _board(self) -> bytes:
        folder = self.shipway.home / "updates" / "boards"
        return boards.place(folder, APP, "production").read_bytes()

    async def offered(self) -> str:
        """Return the group that fresh phones of both platforms load, every byte of it checked; "" when
        there is nothing for them."""
        await self.shipway.settle()
        groups = {await self._loaded(platform) for platform in PLATFORMS}
        assert len(groups) == 1, groups
        return groups.pop()

    async def _loaded(self, platform: Platform) -> str:
        keys = await self.shipway.keys.in_use(APP)
        build = Build(
            platform=platform,
            url=f"https://tiny.localhost{manifests.MANIFEST}",
            runtime_version=updates.RUNTIMES[platform],
            embedded_id=str(uuid.uuid4()),
            trust=Trust(keys[-1].certificate, keys[-1].id),
        )
        now = int(clock.now().timestamp() * 1000)
        phone = Device(build, lambda: now, fetch=self._fetch, client_id=str(uuid.UUID(int=7)))
        phone.start()
        outcome = await phone.check()
        if not outcome.loaded:
            assert outcome.reason in {"nothing offered", "noUpdateAvailable"}, outcome.reason
            return ""
        assert outcome.answer
        assert outcome.answer.manifest
        return str(outcome.answer.manifest.metadata["group"])

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        here = self.shipway.base_url + urllib.parse.urlsplit(url).path
        return await wire.get(here, {**headers, **self.shipway.edge()})


@pytest.fixture
async def mortal(
    database: db.Database, database_url: str, home: pathlib.Path
) -> AsyncIterator[Mortal]:
    async with updates.served(database, home) as shipway:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, dying_worker.__file__, str(home), database_url, str(home / "seen")),
            stdin=pipe,
            stdout=pipe,
        )
        try:
            yield Mortal(shipway, process)
        finally:
            assert process.stdin
            process.stdin.close()
            await process.wait()


async def released(shipway: updates.Shipway, number: int) -> str:
    """Record a release with its client; the first one is live. Returns its version."""
    artifacts = {}
    for platform in PLATFORMS:
        path = shipway.home / "artifact"
        code = b"%s %d" % (platform.encode(), number)
        path.write_bytes(updates.export(platform, code, {"png": b"a picture", "txt": b"x" * 2000}))
        artifacts[f"{platform}.production"] = await shipway.store.put(path)
        path.write_text(updates.fingerprint(updates.RUNTIMES[platform]))
        artifacts[f"fingerprint.{platform}"] = await shipway.store.put(path)
    made = await Releases(shipway.database).add(
        app=APP, run=f"run_{number}", commit=f"{number}" * 40, schema_head="", artifacts=artifacts,
        product=PRODUCT, changelog=f"- Change {number}", authors=["ada"],
    )  # fmt: skip
    if number == 1:
        deployments = Deployments(shipway.database)
        live = await deployments.ask(
            id="dep_1", release=made, environment="production", kind="deploy", by="ada", reason=""
        )
        await deployments.become_live(live, sentence="", warm_until=clock.now())
    return made.version


async def test_whatever_is_done_about_updates_is_done_once(mortal: Mortal) -> None:
    shipway, records = mortal.shipway, mortal.shipway.records
    versions = [await released(shipway, number) for number in (1, 2, 3)]

    async def published(version: str, per_mille: int = 1000) -> str:
        return await mortal.ask(
            "publish", release=version, environment="production", per_mille=per_mille
        )

    first = await published(versions[0])
    assert await mortal.offered() == first
    second = await published(versions[1], 0)
    assert await mortal.offered() == first
    await mortal.ask("pause", update=second)
    await mortal.ask("resume", update=second)
    newer = await mortal.ask("rotate_key")
    await mortal.ask("share", update=second, per_mille=1000)
    assert await mortal.offered() == second
    await mortal.ask("retire_key", key="main")
    await mortal.ask("channel", name="production", paused=True)
    assert await mortal.offered() == ""
    await mortal.ask("channel", name="production", paused=False)
    back = await mortal.ask("roll_back", environment="production")
    assert await mortal.offered() == back
    third = await published(versions[2])
    assert (await mortal.ask("revert", update=third)) == await mortal.offered()
    third = await published(versions[2])
    assert await mortal.offered() == third
    await failing(shipway, third)
    await mortal.outlive("halt", UPKEEP)

    groups = await records.groups(APP)
    assert [group.kind for group in groups] == [
        "republish", "publish", "republish", "publish", "republish", "publish", "publish",
    ]  # fmt: skip
    assert await mortal.offered() == groups[0].id
    assert groups[1].state == "reverted"
    assert [len(await records.offers(group.id)) for group in groups] == [2] * len(groups)
    assert [key.id for key in await shipway.keys.all(APP)] == ["main", newer]
    for group in groups:
        for offer in await records.offers(group.id):
            assert newer in offer.signed.signatures
    adopted = await Adoption(shipway.database, shipway.home).of(third)
    assert sum(one.failed for one in adopted) == FAILING
    told = await shipway.database.rows("select subject from health.outbox")
    assert [row["subject"] for row in told] == [third]
    tally.kills("updates", mortal.kills, [])


async def failing(shipway: updates.Shipway, group: str) -> None:
    """Let a few phones say that they could not launch an update."""
    [offer] = [one for one in await shipway.records.offers(group) if one.platform == "ios"]
    for number in range(FAILING):
        said = {
            "expo-platform": "ios",
            "expo-protocol-version": "1",
            "expo-runtime-version": offer.runtime,
            "eas-client-id": str(uuid.UUID(int=number)),
            "expo-recent-failed-update-ids": f'"{offer.id}"',
        }
        await wire.get(shipway.manifest_url, {**said, **shipway.edge()})
    await shipway.sightings.flush()
