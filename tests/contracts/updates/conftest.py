from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.contracts.updates import shelf as shelves
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import App, World, sharing_keys
from tests.fakes import updates
from tests.fakes.second_opinion import npm

from shipway.kit import db


@pytest.fixture(scope="session")
async def world(cluster: Any, anyio_backend: str) -> AsyncIterator[World]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-updates-", dir="/var/tmp"))
    name = await cluster.make(template="template_shipway")
    database = db.Database(cluster.url(name), name="test")
    await database.open()
    with sharing_keys():
        async with updates.served(database, home) as shipway:
            yield World(shipway)
    await database.close()
    await cluster.drop(name)
    shutil.rmtree(home)


@pytest.fixture
def app(world: World) -> App:
    """An app that nobody else uses, with nothing published."""
    return world.app()


@pytest.fixture(scope="session")
async def shelf(world: World) -> Shelf:
    """What is published already; only for reading."""
    return await shelves.filled(world)


@pytest.fixture(scope="session")
def node() -> Iterator[npm.Node]:
    asked = npm.Node()
    yield asked
    asked.close()
