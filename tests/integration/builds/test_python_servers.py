"""Python servers that nobody wrote for Shipway, each with the shipway.toml that `init` proposes.

Each is built in the sandbox, and started from its artifact by the real keeper after its migrations
have run in a real database. `./dev test` takes two of them, `./dev soak` sets
``SHIPWAY_STRANGERS`` and takes all.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.integration.builds.conftest import Site

from shipway import appfile
from shipway.appfile.model import Product
from shipway.kit import db, http, settings
from shipway.runtime.instances import Instance, Instances, Prepared
from shipway.runtime.model import Kind, Owner, Start, Task

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

APPS = pathlib.Path(__file__).parents[2] / "apps"
ALL = bool(os.environ.get("SHIPWAY_STRANGERS"))


@dataclass(frozen=True)
class Stranger:
    """A server of tests/apps, what it answers, and the head of its migrations if it has any."""

    app: str
    answers: Mapping[str, str]
    head: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


STRANGERS = [
    # Requirements with hashes, files beside the modules, gunicorn.
    Stranger(
        "django-pip-tools",
        {"/health": '{"notes": 0}', "/": "<h1>0 notes</h1>"},
        head="0001_initial",
        env={"SECRET_KEY": "not much of a secret, but a long one"},
    ),
    # The old [tool.poetry], tests, gunicorn, no database.
    Stranger("flask-poetry", {"/health": '{"coins":8}', "/change/88": "[50,20,10,5,2,1]"}),
    # A package in src, an interpreter of the developers' own, Alembic, uvicorn.
    Stranger(
        "fastapi-uv",
        {"/healthz": '{"total":0,"page_size":20}'},
        head="0001",
        env={"PAGE_SIZE": "20"},
    ),
    # Nothing pinned, plain SQL with a way back that people take by hand.
    Stranger(
        "starlette-plain", {"/health": '{"visits":0}', "/": '{"visits":1}'}, head="0001_visits"
    ),
]


@dataclass
class Place:
    """Where a built server runs."""

    site: Site
    instances: Instances
    owner: Owner
    product: Product
    prepared: Prepared
    env: Mapping[str, str]

    async def head(self) -> str:
        """Run the command for the head, and return the last that it said."""
        assert self.product.database
        return (await self._run(self.product.database.head) or [""])[-1].split(" ")[0]

    async def migrate(self) -> None:
        assert self.product.database
        await self._run(self.product.database.migrate)

    async def _run(self, words: tuple[str, ...]) -> list[str]:
        said: list[str] = []
        env = {**self.env, **self.prepared.env}
        task = Task(owner=self.owner, argv=words, cwd=self.prepared.cwd, env=env, key="migrate")
        assert await self.site.keeper.run(task, on_line=said.append) == 0, said
        return said

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[Instance]:
        server = self.product.server
        assert server
        start = Start(
            app=self.owner.app,
            environment=self.owner.environment,
            release="rel_1",
            deployment="dep_1",
            index=0,
            kind=server.kind,
            argv=server.start,
            env=self.env,
        )
        instance = await self.instances.start(start)
        try:
            await self.instances.wait_ready(instance, health=server.health, timeout=120)
            yield instance
        finally:
            await self.instances.stop(instance)


@contextlib.asynccontextmanager
async def built(
    site: Site, database: db.Database, stranger: Stranger, folder: pathlib.Path, url: str
) -> AsyncIterator[Place]:
    """Build a server with the file that is proposed for it, and put it where it runs."""
    shutil.copytree(APPS / stranger.app, folder)
    text = appfile.propose(folder)
    (folder / "shipway.toml").write_text(text)
    product = appfile.parse(text)
    commit = await site.app(stranger.app, folder)
    made = await site.perform_all(stranger.app, commit, await site.begin(stranger.app, commit))
    artifacts = {name: one for result in made.values() for name, one in result.artifacts.items()}
    # Tests that run side by side must not meet at a port.
    first = 25300 + os.getpid() % 50 * 10
    configured = settings.load(home=site.home, instance_ports=(first, first + 9))
    owner = Owner(Kind.SERVER, stranger.app, "staging")
    instances = Instances(site.keeper, database, configured)
    files = artifacts.get("migrations")
    try:
        prepared = await instances.prepare(
            owner.app,
            owner.environment,
            "rel_1",
            kind="python",
            server=await site.store.path(artifacts["server"]),
            database_files=await site.store.path(files) if files else None,
        )
        env = {**stranger.env, "DB_URL": url, **product.same({"DB_URL": url})}
        yield Place(site, instances, owner, product, prepared, env)
    finally:
        await site.keeper.withdraw(owner)
        await site.keeper.tree.stop_watching()


@pytest.mark.parametrize(
    "stranger", STRANGERS if ALL else STRANGERS[:2], ids=lambda stranger: stranger.app
)
async def test_a_strangers_server_runs_as_it_is(
    site: Site, cluster: Any, database: db.Database, tmp_path: pathlib.Path, stranger: Stranger
) -> None:
    url = cluster.url(await cluster.make())
    async with built(site, database, stranger, tmp_path / stranger.app, url) as place:
        assert bool(place.product.database) == bool(stranger.head)
        if stranger.head:
            assert await place.head() == ""
            for _ in range(2):
                await place.migrate()
                assert await place.head() == stranger.head
        async with (
            place.started() as instance,
            http.client(base_url=f"http://{instance.address}") as client,
        ):
            for path, said in stranger.answers.items():
                answer = await client.get(path)
                assert (answer.status_code, answer.text.strip()) == (200, said)
