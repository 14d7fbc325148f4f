"""The client of AIOS itself: exported twice, published by the command line, loaded and patched by a
phone, and refused when a native dependency has come.

Npm and four runs of Metro take minutes: `./dev soak` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import urllib.parse
import uuid
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from tests.chaos import tally
from tests.fakes import platform, updates
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.build import Build, sha256
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply

from shipway.access.model import Role
from shipway.builds.box import client as box
from shipway.cli import servers
from shipway.kit import clock, db
from shipway.releases.records import Deployments, Releases
from shipway.updates import manifests
from shipway.updates.office import Office
from shipway.workflows.platform import Platform
from shipway.workflows.updating import Updating

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

APP = "aios"
AIOS = pathlib.Path(__file__).parents[2] / "examples" / "aios"
PUBLIC = {"EXPO_PUBLIC_DOMAIN": "aios.localhost", "EXPO_PUBLIC_CHANNEL": "production"}
PLATFORMS = ("android", "ios")
DEPENDENCY = "expo-haptics@57.0.3"


@dataclass
class Checkout:
    """A copy of the client with its packages, and what was made of it."""

    folder: pathlib.Path
    bundles: dict[str, pathlib.Path] = field(default_factory=dict)

    def npm(self, *argv: str) -> None:
        run = ("npm", *argv, "--no-audit", "--no-fund")
        subprocess.run(run, cwd=self.folder, check=True, timeout=900)

    def made(self) -> dict[str, pathlib.Path]:
        """Export both platforms by the recipe of the builds; return the artifacts."""
        artifacts = {}
        for name in PLATFORMS:
            scratch = self._scratch()
            made = box.export(self.folder, name, PUBLIC, scratch, self.bundles.get(name))
            box.pack_export(made, scratch / "export.tar", scratch / "maps.tar")
            artifacts[f"{name}.production"] = scratch / "export.tar"
            (self.bundles[name],) = made.rglob("*.hbc")
        return artifacts | self.fingerprints()

    def fingerprints(self) -> dict[str, pathlib.Path]:
        artifacts = {}
        for name in PLATFORMS:
            path = self._scratch() / "fingerprint.json"
            box.fingerprint(self.folder, name, path)
            artifacts[f"fingerprint.{name}"] = path
        return artifacts

    def _scratch(self) -> pathlib.Path:
        """Return a new folder, with the temporary files of all: Metro keeps its cache there."""
        kept, scratch = self.folder.parent / "tmp", self.folder.parent / uuid.uuid4().hex
        kept.mkdir(exist_ok=True)
        scratch.mkdir()
        (scratch / "tmp").symlink_to(kept)
        return scratch


@dataclass(frozen=True)
class Typed:
    """What a command said, and whether it did what it was told."""

    well: bool
    out: str
    err: str


@dataclass(frozen=True)
class World:
    """A Shipway, its worker, and a person at the command line."""

    shipway: updates.Shipway
    office: Office
    config: pathlib.Path

    async def release(self, number: int, artifacts: Mapping[str, pathlib.Path]) -> str:
        """Record a release; the first one is live. Returns its version."""
        database = self.shipway.database
        stored = {name: await self.shipway.store.put(path) for name, path in artifacts.items()}
        made = await Releases(database).add(
            app=APP,
            run=f"run_{number}",
            commit=f"{number}" * 40,
            schema_head="",
            artifacts=stored,
            product=(AIOS / "shipway.toml").read_text(),
            changelog=f"- Change {number}",
            authors=["ada"],
        )
        if number == 1:
            deployments = Deployments(database)
            live = await deployments.ask(
                id="dep_1", release=made, environment="production", kind="deploy", by="ada",
                reason="",
            )  # fmt: skip
            await deployments.become_live(live, sentence="", warm_until=clock.now())
        return made.version

    async def type(self, *argv: str) -> Typed:
        """Type a command in the checkout of AIOS, and let intake see what came of it."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shipway.cli.main", *argv),
            cwd=AIOS,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.config)},
            stdout=pipe,
            stderr=pipe,
        )
        out, err = await process.communicate()
        await self.office.boards.refresh(APP)
        await self.shipway.settle()
        return Typed(process.returncode == 0, out.decode(), err.decode())

    async def published(self, version: str) -> dict[str, Any]:
        """Publish a release, make patches, and return what the command line shows of it."""
        said = await self.type("update", "publish", version, "--json")
        assert said.well, said.err
        await self.office.make_patches()
        shown = await self.type("update", "show", json.loads(said.out)["about"], "--json")
        found: dict[str, Any] = json.loads(shown.out)
        return found

    async def phone(self, runtime: str, embedded: str, bundle: bytes) -> Device:
        key = await self.shipway.keys.get(APP)
        build = Build(
            platform="android",
            url=f"https://aios.localhost{manifests.MANIFEST}",
            runtime_version=runtime,
            request_headers={"expo-channel-name": "production"},
            trust=Trust(key.certificate, keyid=key.id),
            embedded_id=embedded,
            embedded_bundle=bundle,
        )
        device = Device(build, lambda: int(clock.now().timestamp() * 1000), fetch=self._fetch)
        device.start()
        device.content_appeared()
        return device

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        here = self.shipway.base_url + urllib.parse.urlsplit(url).path
        return await wire.get(here, {**headers, **self.shipway.edge("production", APP)})


async def updated(device: Device) -> bytes:
    """Load what is offered, checked as phones do, and start it; return its bundle."""
    outcome = await device.check()
    assert outcome.loaded, outcome.reason
    launched = device.start()
    assert launched.id == outcome.loaded
    device.content_appeared()
    bundle = device.storage.files[launched.launch.file_name]
    assert sha256(bundle) == launched.launch.hash
    return bundle


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shipway-aios-", dir="/var/tmp"))
    left_out = shutil.ignore_patterns("node_modules", ".expo", "dist")
    shutil.copytree(AIOS / "client", folder / "client", ignore=left_out)
    made = Checkout(folder / "client")
    made.npm("ci")
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def world(
    database: db.Database, home: pathlib.Path, tmp_path: pathlib.Path
) -> AsyncIterator[World]:
    async with updates.served(database, home) as shipway:
        parts = platform.parts(database, home)
        office = Office.of(database, shipway.store, shipway.keys._vault, home)
        on = parts.platform
        contexts = {name: getattr(on, name) for name in ("releases", "deployments", "settings")}
        worker = types.SimpleNamespace(updates=office, **contexts)
        await on.apps.create(APP, "test")

        async def work() -> None:
            while True:
                await parts.remote.came.wait()
                parts.remote.came.clear()
                for start in parts.remote.started:
                    await Updating(cast("Platform", worker)).perform(start.request["change"])

        async with platform.served(parts) as live:
            task = asyncio.create_task(work())
            token = await parts.token("ada", Role.OWNER)
            logins = servers.Servers(tmp_path / "shipway" / "servers.toml")
            logins.keep(servers.Server(name="box", url=live.url, token=token, person="ada"))
            yield World(shipway, office, tmp_path)
            task.cancel()


def native_build(folder: pathlib.Path, bundle: bytes, runtime: str, embedded: str) -> str:
    """Return an .apk that has what Gradle would put there for updates."""
    path = folder / f"{embedded}.apk"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = {"id": embedded, "commitTime": int(clock.now().timestamp() * 1000) - 1000}
        archive.writestr("assets/app.manifest", json.dumps({**manifest, "assets": []}))
        archive.writestr("assets/index.android.bundle", bundle)
        archive.writestr("assets/fingerprint", runtime)
    return str(path)


def runtime_of(artifacts: Mapping[str, pathlib.Path]) -> str:
    return str(json.loads(artifacts["fingerprint.android"].read_text())["hash"])


async def test_aios_goes_over_the_air_until_its_native_side_changes(
    world: World, checkout: Checkout, tmp_path: pathlib.Path
) -> None:
    first = await asyncio.to_thread(checkout.made)
    runtime, embedded = runtime_of(first), str(uuid.uuid4())
    bought = checkout.bundles["android"].read_bytes()
    apk = native_build(tmp_path, bought, runtime, embedded)

    said = await world.type("client", "register-build", "android", "1.0.0", "--build", apk)
    assert said.well, said.err
    shown = await world.published(await world.release(1, first))
    assert {one["platform"] for one in shown["manifests"]} == set(PLATFORMS)
    user = await world.phone(runtime, embedded, bought)
    assert await updated(user) == bought
    newcomer = await world.phone(runtime, embedded, bought)

    about = checkout.folder / "src" / "app" / "(tabs)" / "about.tsx"
    text = about.read_text()
    about.write_text(text.replace('"The server"', '"The server says"'))
    assert about.read_text() != text
    second = await asyncio.to_thread(checkout.made)
    assert runtime_of(second) == runtime, "one line of JavaScript is nothing native"
    shown = await world.published(await world.release(2, second))
    changed = checkout.bundles["android"].read_bytes()
    for device in (user, newcomer):
        assert await updated(device) == changed
        assert (device.downloads.patched, device.downloads.fallbacks) == (1, 0)
    offered = [one for one in shown["patches"] if one["offered"]]
    assert offered
    for patch in offered:
        sizes = f"{patch['size']} bytes instead of {patch['full_size']}"
        tally.tell(f"a line of AIOS was changed: a patch of {sizes}")
        assert patch["size"] * 20 < patch["full_size"]

    await asyncio.to_thread(checkout.npm, "install", DEPENDENCY)
    third = second | await asyncio.to_thread(checkout.fingerprints)
    version = await world.release(3, third)
    said = await world.type("update", "publish", version)
    tally.tell(f"a native dependency of AIOS was added: {said.err.strip()}")
    assert not said.well
    assert "native dependency expo-haptics added" in said.err
    assert "A native build is needed" in said.err
    listed = json.loads((await world.type("updates", "--json")).out)["items"]
    assert listed[0]["id"] == shown["id"], "nothing of it is out"

    apk = native_build(tmp_path, changed, runtime_of(third), str(uuid.uuid4()))
    said = await world.type("client", "register-build", "android", "1.1.0", "--build", apk)
    assert said.well, said.err
    await world.published(version)
    outcome = await user.check()
    assert not outcome.loaded, "the old build has another runtime version"
