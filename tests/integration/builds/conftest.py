"""A place to build: repository, keeper, tools and records, all of them real."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fakes import toolbox

from shipway import appfile
from shipway.builds import model, planning
from shipway.builds.artifacts import Artifacts
from shipway.builds.logs import Logs
from shipway.builds.records import Runs
from shipway.builds.room import Room
from shipway.builds.sources import Sources
from shipway.builds.steps import Builder
from shipway.builds.workspace import owner
from shipway.kit import blobs, command, db, settings
from shipway.kit.mask import Mask
from shipway.runtime.drivers.local import LocalKeeper

TINY = pathlib.Path(__file__).parents[2] / "apps" / "tiny"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def tools_home() -> pathlib.Path:
    """The tools, as SHIPWAY_HOME has them."""
    return await toolbox.installed()


@dataclass
class Site:
    """Everything that builds an app, and short ways to use it."""

    home: pathlib.Path
    keeper: LocalKeeper
    builder: Builder
    sources: Sources
    runs: Runs
    logs: Logs
    store: blobs.Blobs
    artifacts: Artifacts
    work: pathlib.Path
    apps: set[str] = field(default_factory=set)

    async def app(self, name: str, files: dict[str, str] | pathlib.Path) -> str:
        """Make an app of files, and return the commit."""
        self.apps.add(name)
        await self.sources.create(name)
        return await self.push(name, files)

    async def push(self, name: str, files: dict[str, str] | pathlib.Path) -> str:
        """Commit files to the main branch, upon what is there, and return the commit."""
        checkout = self.work / name
        if not checkout.exists():
            checkout.mkdir()
            await self.git(checkout, "init", "-q", "-b", "main")
        if isinstance(files, pathlib.Path):
            shutil.copytree(
                files,
                checkout,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns(".venv", "node_modules", "__pycache__"),
            )
        else:
            for path, text in files.items():
                (checkout / path).parent.mkdir(parents=True, exist_ok=True)
                (checkout / path).write_text(text)
        await self.git(checkout, "add", "-A", ".")
        await self.git(checkout, "commit", "-q", "--allow-empty", "-m", "Change something")
        await self.git(checkout, "push", "-q", str(self.sources.path(name)), "main")
        return (await self.git(checkout, "rev-parse", "HEAD")).strip()

    async def git(self, folder: pathlib.Path, *arguments: str) -> str:
        identity = {
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "Ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        done = await command.run(
            command.Command(
                argv=("git", *arguments), cwd=folder, env={**command.base_environment(), **identity}
            )
        )
        return done.output

    async def begin(self, app: str, commit: str, *, push: int = 1, branch: str = "main") -> str:
        """Record a run and check its commit out."""
        kind = model.kind_of(branch)
        run = await self.runs.create(app, branch, commit, push=push, kind=kind, by="ada")
        await self.runs.set_state(run.id, model.State.RUNNING)
        await self.builder.check_out(run.id, app, commit)
        return run.id

    async def plan(self, app: str, commit: str, *, full: bool = True) -> model.Plan:
        text = await self.sources.file_at(app, commit, "shipway.toml")
        assert text
        return planning.plan(appfile.parse(text), full=full)

    async def perform_all(self, app: str, commit: str, run: str) -> dict[str, model.StepResult]:
        plan = await self.plan(app, commit)
        return {
            step.name: await self.builder.perform(run, app, commit, step, Mask())
            for step in plan.steps
        }


@pytest.fixture(scope="module")
async def site(
    cluster: Any, tools_home: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """One for all tests of a module: OS users and databases take their time to make."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-home-", dir="/var/tmp"))
    async with building(home, cluster, tools_home, tmp_path_factory.mktemp("checkouts")) as made:
        yield made
    shutil.rmtree(home)


@contextlib.asynccontextmanager
async def building(
    home: pathlib.Path, cluster: Any, tools_home: pathlib.Path, work: pathlib.Path, **given: Any
) -> AsyncIterator[Site]:
    """Have everything that builds in a folder, with settings of its own."""
    home.chmod(0o755)
    (home / "tools").symlink_to(tools_home / "tools")
    (home / "artifacts").mkdir()
    name = await cluster.make(template="template_shipway")
    database = db.Database(cluster.url(name), name="test")
    await database.open()
    made = _site(settings.load(home=home, **given), database, work)
    try:
        yield made
    finally:
        for app in made.apps:
            await made.keeper.withdraw(owner(app))
        made.keeper.groups.remove()
        await database.close()
        await cluster.drop(name)


def _site(configured: settings.Settings, database: db.Database, work: pathlib.Path) -> Site:
    home = configured.home
    keeper = LocalKeeper(home, configured)
    sources, store = Sources(home / "git"), blobs.Blobs(home / "artifacts")
    runs = Runs(database)
    logs = Logs(home / "logs" / "runs", runs.notify)
    room = Room(cores=2, memory=4 * 1024**3)
    return Site(
        home=home,
        keeper=keeper,
        builder=Builder(keeper, store, sources, database, logs, configured, room=room),
        sources=sources,
        runs=runs,
        logs=logs,
        store=store,
        artifacts=Artifacts(database, store),
        work=work,
    )
