from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.fakes import platform

from shipway.access.model import Role
from shipway.client.client import Client
from shipway.kit import db


@pytest.fixture
async def live(database: db.Database, home: pathlib.Path) -> AsyncIterator[platform.Live]:
    """The API, served by uvicorn, on real records."""
    async with platform.served(platform.parts(database, home)) as served:
        yield served


@pytest.fixture
async def owner(live: platform.Live) -> AsyncIterator[Client]:
    async with live.client(await live.token("olga", Role.OWNER)) as client:
        yield client


@pytest.fixture
async def approver(live: platform.Live) -> AsyncIterator[Client]:
    async with live.client(await live.token("bo", Role.APPROVER)) as client:
        yield client


@pytest.fixture
async def developer(live: platform.Live) -> AsyncIterator[Client]:
    async with live.client(await live.token("ana", Role.DEVELOPER)) as client:
        yield client


@pytest.fixture
async def viewer(live: platform.Live) -> AsyncIterator[Client]:
    async with live.client(await live.token("vera", Role.VIEWER)) as client:
        yield client
