"""Releases with migrations: rehearsed for production, applied there, and taken back."""

from __future__ import annotations

import asyncio
import datetime
import io
import pathlib
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from tests.fakes.edge import FakeEdge
from tests.fakes.platform import Remote
from tests.integration.database.conftest import DOWN, HEAD, MIGRATE

from shipway import wiring
from shipway.access.model import Caller, Role
from shipway.builds.model import RunKind
from shipway.database import find
from shipway.edge.drivers.envoy import Envoy
from shipway.environments.vault import Vault
from shipway.kit import clock, db, errors, settings
from shipway.releases.model import Release
from shipway.runtime.drivers import boot
from shipway.runtime.drivers.local import LocalKeeper
from shipway.workflows import schema
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploying import Deploying, Way
from shipway.workflows.platform import Platform

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

APP = "shop"
PRODUCT = """
name = "shop"
[server]
kind = "command"
run = ["true"]
output = "server"
start = ["{{server}}"]
[database]
migrate = ["/bin/sh", "migrate.sh"]
head = ["/bin/sh", "head.sh"]
rollback = ["/bin/sh", "down.sh", "{{to}}"]
[variables.PSQL]
default = "{psql}"
[environments.production]
domain = "shop.localhost"
"""
NOTES = "create table notes (id int primary key, text text); insert into notes values (1, 'milk')"
COLOUR = "alter table notes add column colour text"
SLOW = f"lock table notes in access exclusive mode; select pg_sleep(0.8); {COLOUR}"
TAKEN = "alter table notes drop column colour"
ADA = Caller(person="ada", role=Role.OWNER, token_id="tok_1")


@dataclass
class Site:
    """A platform on this machine, without its edge."""

    on: Platform
    database: db.Database
    home: pathlib.Path
    psql: str
    releases: list[Release] = field(default_factory=list)

    async def release(self, **files: str) -> Release:
        """Make a release with these migrations, with the run that brings it."""
        number = len(self.releases) + 1
        commit = f"{number:040x}"
        run = await self.on.runs.create(
            APP, "main", commit, push=number, kind=RunKind.FULL, by="ada"
        )
        tools = {"migrate.sh": MIGRATE, "head.sh": HEAD, "down.sh": DOWN}
        server = self.home / "server"
        server.write_text("#!/bin/sh\n")
        artifacts = {
            "server": await self.on.blobs.put(server),
            "migrations": await self.on.blobs.put(packed(self.home / "m.tar", {**tools, **files})),
        }
        made = await self.on.releases.add(
            app=APP,
            run=run.id,
            commit=commit,
            schema_head="",
            artifacts=artifacts,
            product=PRODUCT.format(psql=self.psql),
            changelog="",
            authors=["ada"],
        )
        self.releases.append(made)
        return made

    async def deploy(self, release: Release) -> None:
        """Take a release into production, as far as its schema is concerned."""
        asked = await self.on.deployments.ask(
            id=f"dep_{release.number}",
            release=release,
            environment="production",
            kind="deploy",
            by="ada",
            reason="",
        )
        do, way = Deploying(self.on), Way(deployment=asked.id, stages=())
        await self.on.deployments.begin(asked.id, served_by=asked.id, before=None)
        await do.rehearse(way)
        await do.migrate(way)
        await self.go_live(release)

    async def go_live(self, release: Release) -> None:
        found = await self.on.deployments.get(f"dep_{release.number}")
        until = clock.now() + datetime.timedelta(hours=1)
        await self.on.deployments.become_live(found, sentence="It is live.", warm_until=until)

    async def gate(self, release: Release) -> tuple[bool, str]:
        (found,) = await self.on.releases.gates(release.id)
        return found.open, found.sentence


def packed(target: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    with tarfile.open(target, "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return target


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    made = pathlib.Path(tempfile.mkdtemp(prefix="shipway-mig-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def site(
    database: db.Database, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    found = settings.load(home=folder)
    keeper = LocalKeeper(folder, found)
    monkeypatch.setattr(wiring, "keeper", lambda _: keeper)
    await asyncio.to_thread(Vault.create, folder)
    vault, edge = Vault.at(folder, opens=True), cast("Envoy", FakeEdge())
    on = wiring._platform(found, database, vault, edge)
    await on.apps.create(APP, "ada")
    psql = (await find.find()).program("psql")
    yield Site(on, database, folder, psql)
    await boot.shut_down(found, forget=True)


async def test_a_migration_is_rehearsed_for_production_applied_and_taken_back(site: Site) -> None:
    do = Delivering(site.on)
    first = await site.release(**{"0001_notes.sql": NOTES})
    assert "Nothing is live in production yet" in await do.rehearse(first.run, first.id)
    await site.deploy(first)

    slow = await site.release(**{"0001_notes.sql": NOTES, "0002_colour.sql": SLOW})
    with pytest.raises(errors.Refused, match="keeps everybody from reading or writing notes"):
        await do.rehearse(slow.run, slow.id)
    assert not (await site.gate(slow))[0]
    (blocked,) = await site.on.rehearsed.newest(APP, "production", release=slow.id)
    assert (blocked.state, blocked.pending) == ("blocked", ("0002_colour.sql",))
    assert "rehearse production" in {step.name for step in await site.on.runs.steps(slow.run)}

    files = {"0001_notes.sql": NOTES, "0002_colour.sql": COLOUR, "0002_colour.down": TAKEN}
    good = await site.release(**files)
    assert "left equal data" in await do.rehearse(good.run, good.id)
    await site.deploy(good)
    known = await site.on.rehearsed.newest(APP, "production", release=good.id, limit=5)
    assert [one.state for one in known] == ["passed"]  # it is not rehearsed twice
    assert await site.on.schema.head(APP, "production") == "0002_colour"

    edited = await site.release(**{**files, "0002_colour.sql": SLOW})
    with pytest.raises(
        errors.Refused, match=r"edited after it ran in production: 0002_colour\.sql"
    ):
        await do.rehearse(edited.run, edited.id)

    remote = Remote()
    requests = schema.SchemaRequests(site.database, remote)
    with pytest.raises(errors.Refused, match="shipway rollback production"):
        await requests.take_back(APP, "production", ADA, "")
    await site.go_live(first)
    asked = await requests.take_back(APP, "production", ADA, "a mistake")
    assert [one.workflow for one in remote.started] == ["roll_back_schema"]
    ended = await schema.roll_back_schema(asked.id, schema.Schema(site.on))
    assert ended.good, ended.sentence
    assert "The schema went from 0002_colour to 0001_notes" in ended.sentence
    assert set(await site.on.schema.applied(APP, "production")) == {"0001_notes.sql"}


async def test_a_release_without_new_migrations_is_not_rehearsed(site: Site) -> None:
    files = {"0001_notes.sql": NOTES}
    await site.deploy(await site.release(**files))
    same = await site.release(**files)
    said = await Delivering(site.on).rehearse(same.run, same.id)
    assert said == f"{same.version} has no migration that did not run in production."
    assert (await site.gate(same)) == (True, said)
