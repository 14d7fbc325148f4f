from __future__ import annotations

import asyncio

import pytest
from tests.fakes.edge import FakeEdge

from shipway.edge.model import Pool, Route, Share, Table
from shipway.edge.tables import Steering, Tables
from shipway.kit import db, errors

pytestmark = pytest.mark.anyio

BLUE = Pool(name="aios.staging.blue", endpoints=("127.0.0.1:20001",), health_path="/health")
GREEN = Pool(name="aios.staging.green", endpoints=("127.0.0.1:20002", "127.0.0.1:20003"))


def route(*pools: Pool, host: str = "api.aios.localhost") -> Route:
    part = 1000 // len(pools)
    shares = tuple(Share(pool=pool.name, per_mille=part) for pool in pools)
    return Route(host=host, shares=shares, hsts=True, minimum_tls="1.3", timeout_seconds=5)


async def test_what_is_set_is_in_the_table(database: db.Database) -> None:
    tables = Tables(database)
    told = Share(pool=BLUE.name, per_mille=1000, headers={"x-shipway-exports": "ab"})
    web = Route(host="aios.localhost", shares=(told,), tls=False)
    for _ in range(2):
        await tables.set_pool("aios", "staging", BLUE)
        await tables.set_pool("aios", "staging", GREEN)
        await tables.set_routes("aios", "staging", [route(BLUE, GREEN), web])
    expected = (web, route(BLUE, GREEN))
    assert await tables.routes("aios", "staging") == tuple(sorted(expected, key=lambda r: r.host))
    assert await tables.table() == Table(await tables.routes("aios", "staging"), (BLUE, GREEN))


async def test_routes_that_are_no_longer_set_are_gone(database: db.Database) -> None:
    tables = Tables(database)
    await tables.set_pool("aios", "staging", BLUE)
    await tables.set_routes("aios", "staging", [route(BLUE), route(BLUE, host="b.localhost")])
    await tables.set_routes("aios", "staging", [route(BLUE)])
    assert [found.host for found in (await tables.table()).routes] == ["api.aios.localhost"]


async def test_a_host_of_another_app_is_refused_and_nothing_changes(database: db.Database) -> None:
    tables = Tables(database)
    await tables.set_pool("aios", "staging", BLUE)
    await tables.set_routes("aios", "staging", [route(BLUE)])
    await tables.set_pool("other", "staging", Pool(name="other", endpoints=()))
    with pytest.raises(errors.Conflict, match="already served for aios staging"):
        await tables.set_routes("other", "staging", [route(BLUE)])
    with pytest.raises(errors.Conflict, match="belongs to another"):
        await tables.set_pool("other", "staging", BLUE)
    assert await tables.routes("other", "staging") == ()


async def test_a_pool_with_a_share_stays(database: db.Database) -> None:
    tables = Tables(database)
    await tables.set_pool("aios", "staging", BLUE)
    await tables.set_routes("aios", "staging", [route(BLUE)])
    with pytest.raises(errors.Conflict, match=r"still has a share of api\.aios\.localhost"):
        await tables.remove_pool(BLUE.name)
    await tables.remove("aios", "staging")
    await tables.remove("aios", "staging")
    await tables.remove_pool(BLUE.name)
    assert await tables.table() == Table()


async def test_a_route_to_a_missing_pool_is_refused(database: db.Database) -> None:
    with pytest.raises(errors.Refused, match="no such pool"):
        await Tables(database).set_routes("aios", "staging", [route(BLUE)])
    assert await Tables(database).table() == Table()


async def test_a_change_is_in_force_when_its_block_ends(database: db.Database) -> None:
    edge = FakeEdge()
    async with Steering(database, edge).change() as tables:
        await tables.set_pool("aios", "staging", BLUE)
        await tables.set_routes("aios", "staging", [route(BLUE)])
        assert edge.applied == []
    assert edge.table == await Tables(database).table()
    assert edge.table.pools == (BLUE,)


async def test_a_change_that_the_edge_refuses_leaves_the_rows(database: db.Database) -> None:
    edge = FakeEdge()
    steering = Steering(database, edge)
    async with steering.change() as tables:
        await tables.set_pool("aios", "staging", BLUE)
        await tables.set_routes("aios", "staging", [route(BLUE)])
    edge.ill = set(GREEN.endpoints)
    before = await Tables(database).table()

    async def turn() -> None:
        async with steering.change() as tables:
            await tables.set_pool("aios", "staging", GREEN)
            await tables.set_routes("aios", "staging", [route(GREEN)])

    with pytest.raises(errors.Failed):
        await turn()
    assert await Tables(database).table() == before
    await steering.refresh()
    assert edge.table == before


async def test_changes_at_the_same_time_are_all_kept(database: db.Database) -> None:
    edge = FakeEdge()

    async def add(number: int) -> None:
        async with Steering(database, edge).change() as tables:
            await tables.set_pool("aios", str(number), Pool(name=f"p{number}", endpoints=()))

    await asyncio.gather(*(add(number) for number in range(6)))
    assert [len(table.pools) for table in edge.applied] == [1, 2, 3, 4, 5, 6]
