from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.fakes import platform
from tests.fakes.checkout import Checkout

from shipway.access.model import Role
from shipway.kit import db


@pytest.fixture
async def live(database: db.Database, home: pathlib.Path) -> AsyncIterator[platform.Live]:
    async with platform.served(platform.parts(database, home)) as served:
        yield served


@pytest.fixture
async def checkout(live: platform.Live, tmp_path: pathlib.Path) -> Checkout:
    """A repository with one commit of a sound app, whose origin is the live API."""
    await live.platform.apps.create("tiny", "olga")
    await live.platform.sources.create("tiny")
    made = Checkout(tmp_path, f"{live.url}/git/tiny.git", await live.token("ana", Role.DEVELOPER))
    await made.init()
    return made
