from __future__ import annotations

import os
import pathlib

import psycopg
import pytest

from shipway.database import store
from shipway.kit import command, migrate, settings
from shipway.runtime.drivers.local import LocalKeeper

pytestmark = pytest.mark.anyio


async def test_shipways_own_store_is_made_once_and_knows_its_users(
    keeper: LocalKeeper, shared_home: pathlib.Path
) -> None:
    url = settings.load(home=shared_home).database_url
    try:
        await store.create_store(keeper, shared_home)
        assert await migrate.migrate(url)
        await store.create_store(keeper, shared_home)
        assert await migrate.migrate(url) == ()
        await check_strangers_are_turned_away(shared_home)
    finally:
        await keeper.drop(store.SERVICE)
        await keeper.withdraw(store.OWNER)


async def check_strangers_are_turned_away(home: pathlib.Path) -> None:
    address = f"@/shipway?host={home}/run/store"
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        await psycopg.AsyncConnection.connect(f"postgresql://intruder{address}")
    if os.geteuid() == 0:
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            await psycopg.AsyncConnection.connect(f"postgresql://postgres{address}")
        psql = ("psql", "-X", f"postgresql://shipway{address}", "-c", "select 1")
        stranger = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        with pytest.raises(command.CommandFailed, match="Peer authentication failed"):
            await command.run(
                command.Command(argv=(*stranger, *psql), env=command.base_environment())
            )
