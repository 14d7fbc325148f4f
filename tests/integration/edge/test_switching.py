from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.edge.running import RunningEnvoy, Server, load, pool, table, to, until

from shipway.edge.drivers.envoy import files
from shipway.edge.model import Route, Share, Table
from shipway.kit import errors

pytestmark = pytest.mark.anyio

HOST = "api.aios.localhost"
BLUE, GREEN = "aios.production.blue", "aios.production.green"
Servers = tuple[Server, Server]


def route(*pools: str, host: str = HOST) -> Route:
    return Route(host=host, shares=to(*pools))


async def test_twenty_switches_under_load_lose_no_request(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    pools = pool(BLUE, servers[0]), pool(GREEN, servers[1])
    await envoy.edge.apply(table(pools, route(BLUE)))
    async with load(envoy, HOST) as found:
        for turn in range(24):
            await envoy.edge.apply(table(pools, route((GREEN, BLUE)[turn % 2])))
            await asyncio.sleep(0.05)
    assert found.failures == []
    assert found.requests > 500
    assert set(found.answers) == {"blue", "green"}
    assert found.connections == 8, "a switch closed a connection"


async def test_a_switch_is_seen_by_the_next_request(envoy: RunningEnvoy, servers: Servers) -> None:
    pools = pool(BLUE, servers[0]), pool(GREEN, servers[1])
    for turn in range(10):
        name = (BLUE, GREEN)[turn % 2]
        await envoy.edge.apply(table(pools, route(name)))
        answer = await envoy.get(f"https://{HOST}/")
        assert answer.json()["name"] == name.rpartition(".")[2]


async def test_releases_come_and_go_under_load(envoy: RunningEnvoy, servers: Servers) -> None:
    """Each switch brings a new pool, and the old one is removed with it."""
    await envoy.edge.apply(table((pool("r0", servers[0]),), route("r0")))
    async with load(envoy, HOST) as found:
        for turn in range(1, 11):
            name = f"r{turn}"
            await envoy.edge.apply(table((pool(name, servers[turn % 2]),), route(name)))
    assert found.failures == []
    assert [health.name for health in await envoy.edge.pools()] == ["r10"]


async def test_endpoints_are_replaced_under_load(envoy: RunningEnvoy, servers: Servers) -> None:
    await envoy.edge.apply(table((pool(BLUE, servers[0]),), route(BLUE)))
    async with load(envoy, HOST) as found:
        for turn in range(1, 11):
            await envoy.edge.apply(table((pool(BLUE, servers[turn % 2]),), route(BLUE)))
    assert found.failures == []
    assert set(found.answers) == {"blue", "green"}


async def test_hosts_and_certificates_come_and_go_without_touching_others(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    pools = (pool(BLUE, servers[0]),)
    await envoy.edge.apply(table(pools, route(BLUE)))
    async with load(envoy, HOST) as found:
        for turn in range(10):
            host = f"app{turn}.localhost"
            await envoy.edge.apply(table(pools, route(BLUE), route(BLUE, host=host)))
            assert (await envoy.get(f"https://{host}/")).json()["name"] == "blue"
        await envoy.edge.apply(table(pools, route(BLUE)))
    assert found.failures == []
    assert found.connections == 8, "a change of another host closed a connection"
    assert {path.name.split(".")[1] for path in (await envoy.private.folder()).iterdir()} == {
        "api",
        "unknown-host",
    }


async def test_a_request_under_way_outlives_its_pool(envoy: RunningEnvoy, servers: Servers) -> None:
    blue, green = servers
    await envoy.edge.apply(table((pool(BLUE, blue), pool(GREEN, green)), route(BLUE)))
    slow = asyncio.create_task(envoy.get(f"https://{HOST}/slow"))
    await blue.slow_begun.wait()
    assert not await envoy.edge.wait_quiet(BLUE, timeout=0.2)
    removing = asyncio.create_task(envoy.edge.apply(table((pool(GREEN, green),), route(GREEN))))

    async def turned() -> bool:
        answer = await envoy.get(f"https://{HOST}/")
        return bool(answer.json()["name"] == "green")

    await until(turned)
    assert not removing.done(), "the pool was removed while a request was under way"
    assert BLUE in {health.name for health in await envoy.edge.pools()}
    blue.release.set()
    assert (await slow).json()["name"] == "blue"
    await removing
    assert [health.name for health in await envoy.edge.pools()] == [GREEN]


async def test_a_request_that_takes_too_long_still_ends_in_peace(
    envoy: RunningEnvoy, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.edge.drivers.envoy.driver.QUIET_SECONDS", 0.2)
    blue, green = servers
    await envoy.edge.apply(table((pool(BLUE, blue), pool(GREEN, green)), route(BLUE)))
    slow = asyncio.create_task(envoy.get(f"https://{HOST}/slow"))
    await blue.slow_begun.wait()
    await envoy.edge.apply(table((pool(GREEN, green),), route(GREEN)))
    assert [health.name for health in await envoy.edge.pools()] == [GREEN]
    blue.release.set()
    assert (await slow).json()["name"] == "blue"


async def test_a_host_does_not_turn_to_what_is_ill(
    envoy: RunningEnvoy, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.edge.drivers.envoy.driver.HEALTHY_SECONDS", 1.5)
    blue, green = servers
    green.healthy = False
    pools = pool(BLUE, blue), pool(GREEN, green)
    await envoy.edge.apply(table(pools[:1], route(BLUE)))
    async with load(envoy, HOST) as found:
        with pytest.raises(errors.Failed, match=f"No endpoint of {GREEN} became healthy"):
            await envoy.edge.apply(table(pools, route(GREEN)))
        green.healthy = True
        await envoy.edge.apply(table(pools, route(GREEN)))
    assert found.failures == []


async def test_shares_are_kept_to(envoy: RunningEnvoy, servers: Servers) -> None:
    shares = Share(pool=BLUE, per_mille=900), Share(pool=GREEN, per_mille=100)
    pools = pool(BLUE, servers[0]), pool(GREEN, servers[1])
    await envoy.edge.apply(table(pools, Route(host=HOST, shares=shares)))
    async with load(envoy, HOST) as found:
        await found.reach(1500)
    assert found.failures == []
    assert 0.06 < found.answers["green"] / found.requests < 0.14
    by_name = {health.name: health for health in await envoy.edge.pools()}
    counted = sum(health.total_requests for health in by_name.values())
    assert counted == found.requests
    assert by_name[GREEN].failed_requests == 0


async def test_wait_healthy(envoy: RunningEnvoy, servers: Servers) -> None:
    servers[1].healthy = False
    await envoy.edge.apply(table((pool(BLUE, *servers),)))
    await envoy.edge.wait_healthy(BLUE, endpoints=1, timeout=5)
    with pytest.raises(errors.Failed, match=f"1 of 2 endpoints of {BLUE} became healthy"):
        await envoy.edge.wait_healthy(BLUE, endpoints=2, timeout=0.5)
    with pytest.raises(errors.Failed, match="0 of 1 endpoints of nothing"):
        await envoy.edge.wait_healthy("nothing", endpoints=1, timeout=0.1)
    servers[1].healthy = True
    await envoy.edge.wait_healthy(BLUE, endpoints=2, timeout=5)


async def test_a_killed_envoy_comes_back_with_the_same_table(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    wanted = table((pool(BLUE, servers[0]),), route(BLUE))
    await envoy.edge.apply(wanted)
    await envoy.kill()
    envoy.start_again()
    await envoy.edge.wait_healthy(BLUE, endpoints=1, timeout=15)
    assert (await envoy.get(f"https://{HOST}/")).json()["name"] == "blue"
    await envoy.edge.apply(wanted)


def made(path: pathlib.Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that had its name before; None while there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


async def test_an_envoy_serves_beside_the_one_that_is_to_leave(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    """As when its supervisor is killed: the next one starts while the first has the ports."""
    await envoy.edge.apply(table((pool(BLUE, servers[0]),), route(BLUE)))
    first, admin = envoy.process, made(envoy.edge.socket)
    envoy.start_again()
    await until(lambda: made(envoy.edge.socket) not in {None, admin})
    await envoy.edge.wait_healthy(BLUE, endpoints=1, timeout=15)

    first.cancel()
    await asyncio.wait({first})

    assert (await envoy.get(f"https://{HOST}/")).json()["name"] == "blue"


async def test_an_envoy_killed_amid_a_change_gets_there_when_it_is_repeated(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    pools = pool(BLUE, servers[0]), pool(GREEN, servers[1])
    await envoy.edge.apply(table(pools, route(BLUE)))
    turning = asyncio.create_task(envoy.edge.apply(table(pools[1:], route(GREEN))))
    await asyncio.sleep(0.03)
    await envoy.kill()
    envoy.start_again()
    await asyncio.gather(turning, return_exceptions=True)
    await envoy.edge.apply(table(pools[1:], route(GREEN)))
    assert (await envoy.get(f"https://{HOST}/")).json()["name"] == "green"
    assert [health.name for health in await envoy.edge.pools()] == [GREEN]


def bad_clusters(resources: list[files.Json]) -> None:
    resources[0]["connect_timeout"] = "-1s"


def bad_routes(resources: list[files.Json]) -> None:
    resources[0]["virtual_hosts"] *= 2


def bad_listeners(resources: list[files.Json]) -> None:
    chain = resources[1]["filter_chains"][0]["transport_socket"]["typed_config"]
    chain["common_tls_context"]["tls_certificates"][0]["private_key"] = {"filename": "/missing"}


def bad_words(resources: list[files.Json]) -> None:
    resources[0]["nonsense"] = True


@pytest.mark.parametrize(
    ("part", "spoil"),
    [
        (files.CDS, bad_clusters),
        ("rds/plain/routes.json", bad_routes),
        (files.LDS, bad_listeners),
        (files.LDS, bad_words),
        (files.CDS, bad_words),
    ],
)
async def test_what_envoy_refuses_leaves_the_old_table(
    envoy: RunningEnvoy,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    spoil: Callable[[list[files.Json]], None],
) -> None:
    pools = pool(BLUE, servers[0]), pool(GREEN, servers[1])
    await envoy.edge.apply(table(pools[:1], route(BLUE)))
    before = {path: (envoy.edge.folder / path).read_text() for path in (files.CDS, files.LDS, part)}
    real = files.rendered

    def spoilt(wanted: Table, *others: Any) -> dict[str, str]:
        rendered = real(wanted, *others)
        if wanted == Table():
            return rendered
        resources = files.resources(rendered[part])
        spoil(resources)
        return {**rendered, part: files.file_of(resources)}

    async with load(envoy, HOST, clients=2) as found:
        with monkeypatch.context() as patch:
            patch.setattr(files, "rendered", spoilt)
            with pytest.raises(errors.Failed, match="Envoy refused the new table"):
                await envoy.edge.apply(table(pools, route(GREEN)))
        after = {path: (envoy.edge.folder / path).read_text() for path in before}
        assert after == before, "a restart would not serve the old table"
        assert (await envoy.get(f"https://{HOST}/")).json()["name"] == "blue"
        await envoy.edge.apply(table(pools, route(GREEN)))
    assert found.failures == []
    assert (await envoy.get(f"https://{HOST}/")).json()["name"] == "green"


async def test_a_table_that_contradicts_itself_is_not_tried(envoy: RunningEnvoy) -> None:
    with pytest.raises(errors.Invalid, match="goes to the pool 'nowhere', which is not there"):
        await envoy.edge.apply(table((), route("nowhere")))


async def test_without_envoy_nothing_is_changed(
    envoy: RunningEnvoy, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.edge.drivers.envoy.driver.LIVE_SECONDS", 0.3)
    await envoy.kill()
    before = (envoy.edge.folder / files.CDS).read_text()
    with pytest.raises(errors.Unavailable, match="See the log of the edge"):
        await envoy.edge.apply(table((pool(BLUE, servers[0]),)))
    assert (envoy.edge.folder / files.CDS).read_text() == before
