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
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry|rejects|Peer"):
        await psycopg.AsyncConnection.connect(
            f"postgresql://postgres@/shipway?host={home}/run/store"
        )
    if os.geteuid() == 0:
        psql = (
            "psql",
            "-X",
            f"postgresql://shipway@/shipway?host={home}/run/store",
            "-c",
            "select 1",
        )
        stranger = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        with pytest.raises(command.CommandFailed, match="Peer authentication failed"):
            await command.run(
                command.Command(argv=(*stranger, *psql), env=command.base_environment())
            )
