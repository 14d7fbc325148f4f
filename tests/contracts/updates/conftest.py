from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator

import pytest

from shipway.kit import db
from tests.contracts.updates import world as worlds
from tests.contracts.updates.world import App, World
from tests.fakes.second_opinion import npm


@pytest.fixture(scope="session")
async def world(cluster, anyio_backend: str) -> AsyncIterator[World]:  # type: ignore[no-untyped-def]
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-updates-", dir="/var/tmp"))
    name = await cluster.make(template="template_shipway")
    database = db.Database(cluster.url(name), name="test")
    await database.open()
    async with worlds.running(database, home) as made:
        yield made
    await database.close()
    await cluster.drop(name)
    shutil.rmtree(home)


@pytest.fixture
def app(world: World) -> App:
    """An app that nobody else uses, with nothing published."""
    return world.app()


@pytest.fixture(scope="session")
def node() -> Iterator[npm.Node]:
    asked = npm.Node()
    yield asked
    asked.close()
