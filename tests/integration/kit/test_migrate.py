from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from tests.conftest import Cluster

from shipway.kit import errors, migrate

pytestmark = pytest.mark.anyio

FIRST = migrate.Migration(1, "0001_first", "create table a (); create table b ();")
BROKEN = migrate.Migration(2, "0002_broken", "create table c (); select 1 / 0;")
MENDED = migrate.Migration(2, "0002_broken", "create table c ();")


@pytest.fixture
async def empty(cluster: Cluster) -> AsyncIterator[str]:
    name = await cluster.make()
    yield cluster.url(name)
    await cluster.drop(name)


async def tables(url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        )
        return {row[0] for row in await found.fetchall()}


async def test_the_second_call_finds_nothing_to_do(empty: str) -> None:
    assert await migrate.migrate(empty, [FIRST]) == ("0001_first",)
    assert await migrate.migrate(empty, [FIRST]) == ()


async def test_a_failing_file_leaves_no_trace_and_can_be_mended(empty: str) -> None:
    with pytest.raises(errors.Failed, match="0002_broken did not run: division by zero"):
        await migrate.migrate(empty, [FIRST, BROKEN])
    assert await tables(empty) == {"a", "b"}
    assert await migrate.migrate(empty, [FIRST, MENDED]) == ("0002_broken",)


async def test_an_edited_file_is_refused(empty: str) -> None:
    await migrate.migrate(empty, [FIRST, MENDED])
    with pytest.raises(errors.Refused, match="edited"):
        await migrate.migrate(empty, [FIRST, BROKEN])


async def test_two_migrators_at_once_apply_each_file_once(empty: str) -> None:
    slow = migrate.Migration(1, "0001_slow", "select pg_sleep(0.3); create table a ();")
    done = await asyncio.gather(*(migrate.migrate(empty, [slow]) for _ in range(3)))
    assert sorted(done) == [(), (), ("0001_slow",)]


async def test_shipways_own_migrations_run(database_url: str) -> None:
    assert await migrate.migrate(database_url) == ()
