from __future__ import annotations

import pytest

from shipway.kit import db, errors

pytestmark = pytest.mark.anyio


async def test_a_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    database = db.Database(database_url, name="test", statement_seconds=1)
    await database.open()
    try:
        with pytest.raises(errors.Unavailable, match="takes too long"):
            await database.rows("select pg_sleep(60)")
        async with database.transaction():
            assert await database.row("select 1 as one") == {"one": 1}
    finally:
        await database.close()
