"""What every edge does. The fake of the unit tests keeps to it as Envoy does."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.fakes.edge import FakeEdge
from tests.integration.edge import running

from shipway.edge.model import Pool, Route, Share, Table
from shipway.edge.port import Edge
from shipway.kit import errors

pytestmark = pytest.mark.anyio


class Around:
    """An edge with a server behind it, and an address where nobody listens."""

    def __init__(self, edge: Edge, well: str, ill: str) -> None:
        self.edge = edge
        self.blue = Pool(name="app.blue", endpoints=(well,), health_path="/health")
        self.ill = Pool(name="app.ill", endpoints=(ill,), health_path="/health")


@pytest.fixture(params=["fake", "envoy"])
async def around(
    request: pytest.FixtureRequest,
    home: pathlib.Path,
    anyio_backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Around]:
    nowhere = f"127.0.0.1:{running.free_port()}"
    if request.param == "fake":
        fake = FakeEdge()
        fake.ill.add(nowhere)
        yield Around(fake, "127.0.0.1:20000", nowhere)
        return
    monkeypatch.setattr("shipway.edge.drivers.envoy.driver.HEALTHY_SECONDS", 1.0)
    server = running.Server("blue")
    await server.start()
    async with running.started(home) as envoy:
        yield Around(envoy.edge, server.endpoint, nowhere)
    await server.stop()


def to(pool: Pool, host: str = "api.localhost") -> Route:
    return Route(host=host, shares=(Share(pool=pool.name, per_mille=1000),))


async def names(edge: Edge) -> list[str]:
    return sorted(pool.name for pool in await edge.pools())


async def test_a_table_may_be_applied_again(around: Around) -> None:
    table = Table((to(around.blue),), (around.blue,))
    for _ in range(3):
        await around.edge.apply(table)
    assert await names(around.edge) == ["app.blue"]


async def test_what_is_not_in_the_table_any_more_is_gone(around: Around) -> None:
    await around.edge.apply(Table((to(around.blue),), (around.blue, around.ill)))
    assert await names(around.edge) == ["app.blue", "app.ill"]
    await around.edge.apply(Table((to(around.blue),), (around.blue,)))
    assert await names(around.edge) == ["app.blue"]
    await around.edge.apply(Table())
    assert await names(around.edge) == []


async def test_a_table_that_contradicts_itself_changes_nothing(around: Around) -> None:
    await around.edge.apply(Table((), (around.blue,)))
    with pytest.raises(errors.Invalid, match=r"app\.ill"):
        await around.edge.apply(Table((to(around.ill),), ()))
    assert await names(around.edge) == ["app.blue"]


async def test_health_is_told(around: Around) -> None:
    await around.edge.apply(Table((), (around.blue, around.ill)))
    await around.edge.wait_healthy("app.blue", endpoints=1, timeout=5)
    with pytest.raises(errors.Failed, match=r"0 of 1 endpoints of app\.ill"):
        await around.edge.wait_healthy("app.ill", endpoints=1, timeout=0.5)
    with pytest.raises(errors.Failed, match="0 of 1 endpoints of nothing"):
        await around.edge.wait_healthy("nothing", endpoints=1, timeout=0.1)
    by_name = {pool.name: pool for pool in await around.edge.pools()}
    assert by_name["app.blue"].healthy == around.blue.endpoints
    assert by_name["app.ill"].unhealthy == around.ill.endpoints


async def test_a_host_does_not_turn_to_what_is_ill(around: Around) -> None:
    good = Table((to(around.blue),), (around.blue,))
    await around.edge.apply(good)
    await around.edge.wait_healthy("app.blue", endpoints=1, timeout=5)
    with pytest.raises(errors.Failed, match=r"No endpoint of app\.ill became healthy"):
        await around.edge.apply(Table((to(around.ill),), (around.blue, around.ill)))
    await around.edge.apply(good)
    assert await names(around.edge) == ["app.blue"]


async def test_a_pool_without_requests_is_quiet(around: Around) -> None:
    await around.edge.apply(Table((), (around.blue,)))
    assert await around.edge.wait_quiet("app.blue", timeout=2)
    assert await around.edge.wait_quiet("nothing", timeout=2)
