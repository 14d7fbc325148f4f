from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.integration.edge import running


@pytest.fixture
async def envoy(home: pathlib.Path, anyio_backend: str) -> AsyncIterator[running.RunningEnvoy]:
    async with running.started(home) as found:
        yield found


@pytest.fixture
async def servers(anyio_backend: str) -> AsyncIterator[tuple[running.Server, running.Server]]:
    both = running.Server("blue"), running.Server("green")
    for server in both:
        await server.start()
    yield both
    for server in both:
        await server.stop()
