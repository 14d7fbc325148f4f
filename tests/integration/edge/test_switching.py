from __future__ import annotations

import asyncio

import pytest
from tests.integration.edge.running import RunningEnvoy, Server, load, pool, table, to

from shipway.edge.model import Route

pytestmark = pytest.mark.anyio

HOST = "api.aios.localhost"
Servers = tuple[Server, Server]


async def test_twenty_switches_under_load_lose_no_request(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    pools = pool("aios.blue", servers[0]), pool("aios.green", servers[1])
    await envoy.edge.apply(table(pools, Route(host=HOST, shares=to("aios.blue"))))
    async with load(envoy, HOST) as found:
        for turn in range(24):
            name = ("aios.green", "aios.blue")[turn % 2]
            await envoy.edge.apply(table(pools, Route(host=HOST, shares=to(name))))
            await asyncio.sleep(0.05)
    assert found.failures == []
    assert found.requests > 500
    assert set(found.answers) == {"blue", "green"}
    assert found.connections == 8, "no connection was closed by a switch"
