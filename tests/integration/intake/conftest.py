from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.integration.edge import running


@pytest.fixture
async def envoy(home: pathlib.Path, anyio_backend: str) -> AsyncIterator[running.RunningEnvoy]:
    async with running.started(home) as found:
        yield found
