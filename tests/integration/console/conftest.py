from __future__ import annotations

import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest
from tests.fakes import history, platform
from tests.fakes.browser import Browser

from shipway.kit import db

Opens = Callable[[str], contextlib.AbstractAsyncContextManager[Browser]]


@pytest.fixture
async def live(database: db.Database, home: pathlib.Path) -> AsyncIterator[platform.Live]:
    """The API with the console, served by uvicorn, on real records."""
    async with platform.served(platform.parts(database, home)) as served:
        yield served


@pytest.fixture
async def past(live: platform.Live) -> history.Past:
    return await history.lay_out(live)


@pytest.fixture
def as_(live: platform.Live) -> Opens:
    """Return what opens a browser in which somebody is signed in; "" for nobody."""

    @contextlib.asynccontextmanager
    async def opened(person: str) -> AsyncIterator[Browser]:
        browser = Browser(live)
        try:
            if person:
                await browser.sign_in(person)
            yield browser
        finally:
            await browser.close()

    return opened
