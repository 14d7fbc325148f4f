from __future__ import annotations

import os
import pathlib
import urllib.parse

import psycopg
import pytest
from demo.stage import free_range
from tests.integration.database.conftest import HURRY, Passwords, none_given

from shipway.database import clusters, ports
from shipway.database.model import Access
from shipway.kit import db, errors
from shipway.runtime import listening
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.model import Kind, Owner
from shipway.runtime.port import Keeper

pytestmark = pytest.mark.anyio


async def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = connection.cursor()
        for statement in statements:
            await cursor.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def test_the_server_may_change_rows_but_not_the_schema(access: Access) -> None:
    await run(access.owner_url, "create table notes (id serial primary key, text text)")
    await run(access.app_url, "insert into notes (text) values ('milk')")
    await run(access.app_url, "update notes set text = 'bread'")
    assert await run(access.app_url, "select id, text from notes") == [(1, "bread")]
    for ddl in (
        "create table mine ()",
        "alter table notes add column more text",
        "drop table notes",
        "truncate notes",
        "create schema mine",
        "create role friend",
        "create database another",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await run(access.app_url, ddl)


async def test_schemas_that_the_owner_makes_are_usable_too(access: Access) -> None:
    await run(
        access.owner_url, "create schema extra", "create table extra.notes (id bigserial, t text)"
    )
    await run(access.app_url, "insert into extra.notes (t) values ('milk')")
    await run(access.owner_url, "drop schema extra cascade")


async def test_the_owner_may_use_extensions_that_apps_expect(access: Access) -> None:
    await run(access.owner_url, "create extension if not exists pgcrypto")


async def test_a_wrong_password_and_another_role_are_turned_away(access: Access) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await run(access.app_url.replace(clusters.APP_ROLE, clusters.OWNER_ROLE, 1))
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        await run(access.app_url.replace(clusters.APP_ROLE, "intruder", 1))
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        await run(access.app_url.replace("/aios?", "/template1?", 1))


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all is one OS user, the superuser too")
async def test_only_the_clusters_own_os_user_may_be_superuser_without_password(
    access: Access,
) -> None:
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        await run(access.app_url.replace(clusters.APP_ROLE, "postgres", 1))


async def test_nothing_listens_on_the_network(access: Access) -> None:
    assert await run(access.admin_url, "show listen_addresses") == [("",)]


async def test_the_servers_log_has_no_password(
    access: Access, databases: clusters.Clusters, shared_home: pathlib.Path
) -> None:
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0"):
        await run(access.admin_url, f"alter system set {setting}", "select pg_reload_conf()")
    try:
        await databases.ensure("aios", "staging")
        await run(access.admin_url, "select 'this is logged'")
    finally:
        await run(access.admin_url, "alter system reset all", "select pg_reload_conf()")

    folder = shared_home / "owners" / "cluster.aios.staging" / "data" / "log"
    logged = "".join(file.read_text() for file in folder.iterdir())
    assert "this is logged" in logged
    assert "of aios/staging" not in logged


async def test_ensuring_again_changes_nothing_and_ends_no_session(
    access: Access, databases: clusters.Clusters
) -> None:
    await run(access.owner_url, "create table kept ()")
    async with await psycopg.AsyncConnection.connect(access.app_url) as session:
        assert await databases.ensure("aios", "staging") == access
        await session.execute("select from kept")


async def test_the_status_is_a_sentence(access: Access, databases: clusters.Clusters) -> None:
    status = await databases.status("aios", "staging")
    assert status.up
    assert status.sentence.startswith("PostgreSQL 1")
    assert not (await databases.status("aios", "production")).up


async def test_another_environment_is_another_cluster_and_removable(
    access: Access, databases: clusters.Clusters, shared_home: pathlib.Path
) -> None:
    other = await databases.ensure("aios", "development")
    await run(other.owner_url, "create table only_here ()")
    assert await run(access.app_url, "select to_regclass('only_here')") == [(None,)]
    for _ in range(2):
        await databases.remove("aios", "development")
    assert not (shared_home / "owners" / "cluster.aios.development").exists()
    assert not (await databases.status("aios", "development")).up


async def test_a_given_database_is_the_providers(keeper: Keeper, shared_home: pathlib.Path) -> None:
    async def given(app: str, environment: str) -> str:
        return "postgresql://me:pw@db.example/notes"

    provided = clusters.Clusters(keeper, shared_home, NoPasswords(), given)
    access = await provided.ensure("aios", "production")
    assert access.provided
    assert access.owner_url == access.app_url == "postgresql://me:pw@db.example/notes"
    assert "provider" in (await provided.status("aios", "production")).sentence
    with pytest.raises(errors.Refused, match="provider"):
        await provided.remove("aios", "production")


class NoPasswords:
    async def internal(self, app: str, environment: str, name: str) -> str:
        raise AssertionError("a given database needs no password of ours")


async def test_a_server_that_cannot_start_says_why(
    databases: clusters.Clusters, keeper: LocalKeeper
) -> None:
    await databases.ensure("aios", "development")
    await keeper.drop("cluster.aios.development")
    owner = Owner(Kind.CLUSTER, "aios", "development")
    await keeper.remove(owner, "data/global/pg_control")
    with pytest.raises(errors.Failed, match=r"development does not come up: .*pg_control"):
        await databases.ensure("aios", "development")
    await databases.remove("aios", "development")


async def test_a_half_made_cluster_is_made_anew(
    databases: clusters.Clusters, keeper: LocalKeeper
) -> None:
    owner = Owner(Kind.CLUSTER, "aios", "development")
    await keeper.provide(owner)
    await keeper.write(owner, "data.new/PG_VERSION", b"15\n")
    access = await databases.ensure("aios", "development")
    assert await run(access.app_url, "select 1") == [(1,)]
    await databases.remove("aios", "development")


async def test_a_database_may_be_reached_by_a_port_of_this_machine(
    keeper: Keeper, shared_home: pathlib.Path, database: db.Database
) -> None:
    first, last = free_range(20)
    pool = ports.Ports(database, (first, last), listening.is_free)
    mine = clusters.Clusters(
        keeper, shared_home, Passwords(), none_given, patience=HURRY, ports=pool
    )
    by_socket = await mine.ensure("knexed", "staging")
    assert "host=" in by_socket.app_url
    await run(by_socket.owner_url, "create table notes (id int)")

    access = await mine.ensure("knexed", "staging", by_port=True)  # it is started again for it
    port = await pool.find("knexed", "staging")
    assert first <= port <= last
    assert urllib.parse.urlsplit(access.app_url).port == port
    await run(access.app_url, "insert into notes values (1)")
    assert await run(access.admin_url, "show listen_addresses") == [("127.0.0.1",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await run(access.app_url.replace(clusters.APP_ROLE, clusters.OWNER_ROLE, 1))
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        await run(f"postgresql://postgres@127.0.0.1:{port}/knexed")

    assert await mine.ensure("knexed", "staging") == access  # it keeps its port, and runs on
    await mine.remove("knexed", "staging")
    assert await pool.find("knexed", "staging") == 0
