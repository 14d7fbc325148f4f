from __future__ import annotations

import asyncio
import contextlib
import pathlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.integration.edge.running import RunningEnvoy, free_port, load, table
from tests.unit.intake import packing

from shipway.edge.model import Pool, Route, Share
from shipway.kit import command, errors, http
from shipway.kit.blobs import Blobs

pytestmark = pytest.mark.anyio

HOST = "aios.localhost"


@dataclass
class Intake:
    home: pathlib.Path
    port: int

    async def add(self, text: str) -> str:
        archive = packing.tar(self.home / "x.tar", {"index.html": text.encode()})
        return await Blobs(self.home / "artifacts").put(archive)


@pytest.fixture
async def intake(home: pathlib.Path, anyio_backend: str) -> AsyncIterator[Intake]:
    port = free_port()
    asked = command.Command(
        argv=(sys.executable, "-m", "shipway.intake"),
        env={
            **command.base_environment(),
            "SHIPWAY_HOME": str(home),
            "SHIPWAY_INTAKE_PORT": str(port),
        },
        timeout=600,
    )
    process = asyncio.create_task(command.run(asked))
    await _answering(f"http://127.0.0.1:{port}/health")
    yield Intake(home, port)
    process.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await process


async def _answering(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.Unavailable):
                if (await http.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def route(*exports: str) -> Route:
    """Equal parts to each of these exports, which know the others as older ones."""
    shares = tuple(
        Share(
            pool="intake",
            per_mille=1000 // len(exports),
            headers={"x-shipway-exports": ",".join((export, *exports))},
        )
        for export in exports
    )
    return Route(host=HOST, shares=shares)


async def test_the_edge_decides_which_export_is_seen(envoy: RunningEnvoy, intake: Intake) -> None:
    pools = (Pool(name="intake", endpoints=(f"127.0.0.1:{intake.port}",)),)
    one, two = await intake.add('{"name": "one"}'), await intake.add('{"name": "two"}')
    await envoy.edge.apply(table(pools, route(one)))
    forged = {"X-Shipway-Exports": two, "X_Shipway_Exports": two, "x-shipway-other": "1"}
    assert (await envoy.get(f"https://{HOST}/", **forged)).text == '{"name": "one"}'
    async with load(envoy, HOST, clients=4) as found:
        for _ in range(5):
            await envoy.edge.apply(table(pools, route(one, two)))
            await envoy.edge.apply(table(pools, route(two)))
            await envoy.edge.apply(table(pools, route(one)))
    assert found.failures == []
    assert set(found.answers) == {"one", "two"}
