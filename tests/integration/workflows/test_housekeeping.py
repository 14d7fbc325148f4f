"""Housekeeping on real files, users and records: what is needed stays, the rest goes and is told."""

from __future__ import annotations

import datetime
import hashlib
import os
import pathlib
import types
from collections.abc import AsyncIterator
from typing import cast

import pytest

from shipway.access.approvals import Approvals
from shipway.builds.artifacts import Artifacts
from shipway.builds.logs import Logs
from shipway.builds.model import Artifact, RunKind, State
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.builds.steps import Builder
from shipway.environments.apps import Apps
from shipway.environments.vault import Vault
from shipway.kit import blobs, clock, db, errors, settings
from shipway.kit.mask import Mask
from shipway.releases import model as releases
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.instances import Instances
from shipway.runtime.model import Kind, Owner, Task
from shipway.updates.files import Files
from shipway.updates.garbage import SAFETY
from shipway.updates.office import Office
from shipway.workflows.housekeeping import Housekeeping
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

BUILD = Owner(Kind.BUILD, "tiny")
SERVER = Owner(Kind.SERVER, "tiny", "production")


class House:
    """A Shipway with three releases of which the first is live, and things lying about."""

    def __init__(self, database: db.Database, home: pathlib.Path) -> None:
        found = settings.load(home=home, keep_releases=1)
        self.home, self.keeper = home, LocalKeeper(home, found)
        self.blobs = blobs.Blobs(home / "artifacts")
        self.runs, self.releases = Runs(database), Releases(database)
        self.deployments, self.passes = Deployments(database), Passes(database)
        self.logs = Logs(home / "logs" / "runs")
        sources = Sources(home / "git")
        builder = Builder(self.keeper, self.blobs, sources, database, self.logs, found)
        self.artifacts, self.apps = Artifacts(database, self.blobs), Apps(database)
        self.platform = cast(
            "Platform",
            types.SimpleNamespace(
                settings=found,
                apps=self.apps,
                approvals=Approvals(database),
                blobs=self.blobs,
                builder=builder,
                deployments=self.deployments,
                instances=Instances(self.keeper, database, found),
                keeper=self.keeper,
                passes=self.passes,
                releases=self.releases,
                updates=Office.of(database, self.blobs, Vault.at(home), home),
            ),
        )

    async def release(self, number: int) -> Release:
        """Make a release of one artifact, with a log of its run."""
        run = await self.runs.create(
            "tiny", "main", f"{number:040x}", push=number, kind=RunKind.FULL, by="ana"
        )
        file = self.home / "made"
        file.write_bytes(f"server {number}".encode())
        digest, size = await self.artifacts.store(file)
        await self.artifacts.keep(
            Artifact(run=run.id, name="server", digest=digest, kind="python server", size=size,
                     commit=run.commit, provenance={})
        )  # fmt: skip
        async with self.logs.writing(run.id, "test", Mask()) as say:
            say("It went well.")
        await self.runs.set_state(run.id, State.SUCCEEDED, "Done.")
        return await self.releases.add(
            app="tiny", run=run.id, commit=run.commit, schema_head="",
            artifacts={"server": digest}, product="", changelog="", authors=(),
        )  # fmt: skip

    async def go_live(self, release: Release) -> None:
        asked = await self.deployments.ask(
            id=f"dep_{release.number}", release=release, environment="production", kind="deploy",
            by="ana", reason="",
        )  # fmt: skip
        await self.deployments.become_live(asked, sentence="It is.", warm_until=clock.now())

    async def do(self, owner: Owner, script: str) -> str:
        said: list[str] = []
        task = Task(owner=owner, argv=("sh", "-c", script), key="litter")
        assert await self.keeper.run(task, on_line=said.append) == 0, said
        return " ".join(said)

    def has(self, release: Release) -> bool:
        digest = release.artifacts["server"]
        return (self.home / "artifacts" / digest[:2] / digest).exists()

    def after(self, days: int) -> Housekeeping:
        moment = clock.now() + datetime.timedelta(days=days)
        return Housekeeping(self.platform, now=lambda: moment)


@pytest.fixture
async def house(database: db.Database, home: pathlib.Path) -> AsyncIterator[House]:
    (home / "artifacts").mkdir()
    Vault.create(home)
    made = House(database, home)
    await made.apps.create("tiny", "ana")
    await made.do(
        BUILD,
        "mkdir -p caches/main/packages installs/stray runs/run_dead/src;"
        " head -c 300000 /dev/zero >caches/main/packages/x; touch runs/run_dead/src/y",
    )
    await made.do(SERVER, "mkdir -p releases/rel_gone; touch releases/rel_gone/server.pyz")
    yield made
    for owner in (BUILD, SERVER):
        await made.keeper.withdraw(owner)
    made.keeper.groups.remove()


async def test_what_is_needed_stays_and_the_rest_goes_and_is_told(house: House) -> None:
    live, middle, newest = [await house.release(number) for number in (1, 2, 3)]
    await house.go_live(live)

    await house.passes.begin("hk_dry", by="ana", dry_run=True)
    told = await house.after(91).tidy("hk_dry", dry_run=True)
    assert all(map(house.has, (live, middle, newest)))
    would_go = (await house.passes.get("hk_dry")).removals
    assert told.sentence.endswith(
        " would go: 1 artifact, 1 cache, 1 install, 1 log, 1 unpacked release, 1 workspace."
    )

    await house.passes.begin("hk_done", by="", dry_run=False)
    done = await house.after(91).tidy("hk_done", dry_run=False)
    assert done.sentence == told.sentence.replace("would go", "went")
    assert (await house.passes.get("hk_done")).removals == would_go
    assert [house.has(one) for one in (live, middle, newest)] == [True, False, True]
    assert await house.do(BUILD, "ls caches/main installs runs | grep -v : | sort -u") == ""
    assert await house.do(SERVER, "ls releases") == ""
    assert house.logs.read(live.run, "test").lines
    assert not house.logs.read(middle.run, "test").lines

    gone = await house.releases.get(middle.id)
    with pytest.raises(errors.Refused, match="The artifacts of v2 are gone: housekeeping") as no:
        releases.must_have_artifacts(gone)
    assert "push a commit like 000000000000" in no.value.fix
    releases.must_have_artifacts(await house.releases.get(live.id))


async def test_doing_it_again_removes_nothing_more(house: House) -> None:
    await house.release(1)
    for name in ("hk_one", "hk_two"):
        await house.passes.begin(name, by="", dry_run=False)
    await house.after(91).tidy("hk_one", dry_run=False)
    again = await house.after(91).tidy("hk_two", dry_run=False)
    assert again.sentence == "Nothing had to go."


async def test_a_clock_that_jumped_removes_nothing(house: House) -> None:
    first, _ = [await house.release(number) for number in (1, 2)]
    for name, days in (("hk_one", 0), ("hk_two", 4000), ("hk_three", 4001)):
        await house.passes.begin(name, by="", dry_run=False)
        ended = await house.after(days).tidy(name, dry_run=False)
        if name == "hk_two":
            assert "The clock stands 4000 days after the last housekeeping" in ended.sentence
            assert house.has(first)
    assert not house.has(first)


async def test_what_is_stored_again_meanwhile_stays(house: House) -> None:
    first, _ = [await house.release(number) for number in (1, 2)]
    old = datetime.timedelta(days=1).total_seconds()
    digest = first.artifacts["server"]
    assert not house.blobs.remove_local(digest, before=clock.now().timestamp() - old)
    assert house.has(first)


async def test_files_of_updates_go_that_no_device_can_ask_for(house: House) -> None:
    files = Files(house.home / "updates" / "files")
    long_ago = (clock.now() - 2 * SAFETY).timestamp()
    names = []
    for text in (b"old", b"young"):
        (house.home / "made").write_bytes(text)
        names.append(hashlib.sha256(text).hexdigest())
        await files.add(house.home / "made", names[-1], "png")
    half_done = files.folder / ".under-way" / "half"
    half_done.mkdir()
    (half_done / "index.hbc").write_bytes(b"half")
    for path in (files.path(names[0]), half_done):
        os.utime(path, (long_ago, long_ago))

    await house.passes.begin("hk_dry", by="ana", dry_run=True)
    told = await house.after(1).tidy("hk_dry", dry_run=True)
    assert "1 draft of an update" in told.sentence
    assert "1 update file" in told.sentence
    assert half_done.exists()
    assert all(files.path(name).exists() for name in names)
    await house.passes.begin("hk_done", by="", dry_run=False)
    await house.after(1).tidy("hk_done", dry_run=False)
    assert not half_done.exists()
    assert [files.path(name).exists() for name in names] == [False, True]
