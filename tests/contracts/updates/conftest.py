from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.contracts.updates import shelf as shelves
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import App, World
from tests.fakes import updates
from tests.fakes.second_opinion import npm

from shipway.kit import db
from shipway.updates import signing


@pytest.fixture(scope="session")
async def world(cluster: Any, anyio_backend: str) -> AsyncIterator[World]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-updates-", dir="/var/tmp"))
    name = await cluster.make(template="template_shipway")
    database = db.Database(cluster.url(name), name="test")
    await database.open()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(signing, "make", _make_once(signing.make))
        async with updates.served(database, home) as shipway:
            yield World(shipway)
    await database.close()
    await cluster.drop(name)
    shutil.rmtree(home)


def _make_once(make: Any) -> Any:
    """RSA keys take half a second each: apps share theirs here, one for each id."""
    made: dict[str, tuple[str, str]] = {}

    def made_once(name: str, *, now: Any) -> tuple[str, str]:
        keyid = name.rpartition(" ")[2]
        return made.setdefault(keyid, made.get(keyid) or make(name, now=now))

    return made_once


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
