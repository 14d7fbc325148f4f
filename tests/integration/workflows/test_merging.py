"""A hotfix and main, in a real repository with the real record."""

from __future__ import annotations

import pathlib
import types
from typing import cast

import pytest
from tests.fakes.checkout import Checkout

from shipway.access.approvals import Approvals
from shipway.access.model import Role
from shipway.access.people import People
from shipway.builds.model import Run, RunKind
from shipway.builds.records import Pushes, Runs
from shipway.builds.sources import Sources
from shipway.environments.apps import Apps
from shipway.kit import db, errors
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.workflows import merging
from shipway.workflows.platform import Platform
from shipway.workflows.promoting import Promoting, Promotion

pytestmark = pytest.mark.anyio

BRANCH = "hotfix/login"
FILE = """
name = "tiny"
[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"
[environments.production]
domain = "tiny.example.org"
"""


class Site:
    """A repository with a clone, and what the steps work with."""

    def __init__(self, database: db.Database, folder: pathlib.Path) -> None:
        self.sources = Sources(folder / "git")
        self.people = People(database)
        self.runs = Runs(database)
        self.pushes = Pushes(database)
        self.releases = Releases(database)
        self.apps = Apps(database)
        self.clone = Checkout(folder / "clone", str(self.sources.path("tiny")), "")
        self.on = cast(
            "Platform",
            types.SimpleNamespace(
                sources=self.sources,
                people=self.people,
                runs=self.runs,
                releases=self.releases,
                apps=self.apps,
                approvals=Approvals(database),
                deployments=Deployments(database),
            ),
        )

    async def begin(self) -> None:
        """Push a main, and a hotfix that goes on from there."""
        await self.people.add("dev", Role.DEVELOPER, ["dev@example.org"])
        await self.apps.create("tiny", "dev")
        await self.sources.create("tiny")
        self.clone.folder.mkdir()
        await self.clone.init()
        await self.pushed("main", {"shipway.toml": FILE, "words": "hallo"})
        await self.clone.git("checkout", "-q", "-b", BRANCH)
        await self.pushed(BRANCH, {"words": "hello"})

    async def pushed(self, branch: str, files: dict[str, str | bytes]) -> str:
        await self.clone.git("checkout", "-q", branch, check=False)
        commit = await self.clone.commit(f"Change {', '.join(files)}", files)
        await self.clone.git("push", "-q", "origin", branch)
        return commit

    async def run(self) -> Run:
        pushes = await self.pushes.arrived("tiny", lambda: self.sources.refs("tiny"), by="dev")
        (push,) = (one for one in pushes if one.branch == BRANCH)
        return await self.runs.create(
            "tiny", BRANCH, push.commit, push=push.number, kind=RunKind.HOTFIX, by="dev"
        )

    async def released(self, run: Run) -> Release:
        commit = await merging.merge(self.on, run)
        return await self.releases.add(
            app="tiny",
            run=run.id,
            commit=commit,
            schema_head="",
            artifacts={},
            product=FILE,
            changelog="",
            authors=["dev"],
            branch=run.branch,
        )


@pytest.fixture
async def site(database: db.Database, tmp_path: pathlib.Path) -> Site:
    made = Site(database, tmp_path)
    await made.begin()
    return made


def promotion(release: Release) -> Promotion:
    return Promotion(app="tiny", release=release.id, environment="production")


async def test_an_approved_hotfix_is_what_main_is_then(site: Site) -> None:
    release = await site.released(await site.run())
    main = (await site.sources.refs("tiny"))["main"]
    await merging.announce(site.on, release, main)
    (gate,) = await site.releases.gates(release.id)
    assert gate.sentence == f"{BRANCH} is merged into main when it is approved."
    assert (await site.sources.refs("tiny"))["main"] == main

    for _ in range(2):
        assert await Promoting(site.on).merge(promotion(release))

    assert (await site.sources.refs("tiny"))["main"] == release.commit
    assert (await site.apps.get("tiny")).commit == release.commit
    (merge, *_) = await site.sources.commits_between("tiny", main, release.commit)
    assert (merge.author, merge.email) == ("dev", "dev@example.org")


async def test_whoever_approves_is_told_what_else_of_main_comes_along(site: Site) -> None:
    live = (await site.sources.refs("tiny"))["main"]
    await site.pushed("main", {"more": "1"})
    release = await site.released(await site.run())

    await merging.announce(site.on, release, live)

    (gate,) = await site.releases.gates(release.id)
    assert gate.sentence.endswith("1 commit(s) of main that production lacks come along.")


async def test_a_conflict_is_named_and_changes_nothing(site: Site) -> None:
    main = await site.pushed("main", {"words": "salut"})

    with pytest.raises(errors.Refused, match="Both have changed words") as refused:
        await merging.merge(site.on, await site.run())

    assert str(refused.value) == (
        f"{BRANCH} cannot be merged into main, which stays as it is. Both have changed words."
        f" Merge main into {BRANCH} and push it again."
    )
    assert (await site.sources.refs("tiny"))["main"] == main


async def test_a_hotfix_that_main_has_already_is_refused(site: Site) -> None:
    await site.clone.git("push", "-q", "origin", f"{BRANCH}:main")

    with pytest.raises(errors.Refused, match=f"main has all of {BRANCH} already"):
        await merging.merge(site.on, await site.run())


async def test_a_hotfix_starts_over_where_main_has_moved(site: Site) -> None:
    run = await site.run()
    release = await site.released(run)
    main = await site.pushed("main", {"more": "1"})
    do = Promoting(site.on)

    assert not await do.merge(promotion(release))
    again = await do.start_over(promotion(release))

    assert (await site.sources.refs("tiny"))["main"] == main
    assert (await site.releases.get(release.id)).state == "refused"
    repeated = await site.runs.get(again.id)
    assert (repeated.branch, repeated.commit) == (run.branch, run.commit)
    assert await do.start_over(promotion(release)) == again
    anew = await site.released(repeated)
    assert await do.merge(promotion(anew))
