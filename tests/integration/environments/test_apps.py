from __future__ import annotations

import pytest

from shipway.environments import apps
from shipway.kit import db, errors

pytestmark = pytest.mark.anyio

TEXT = 'name = "shop"\n[client]\n'


async def test_an_app_begins_without_a_file_and_keeps_the_one_that_is_accepted(
    database: db.Database,
) -> None:
    them = apps.Apps(database)
    made = await them.create("shop", "ana")
    assert (made.name, made.created_by, made.commit) == ("shop", "ana", "")
    assert await them.product("shop") is None
    await them.accept("shop", "c0ffee", TEXT)
    await them.accept("shop", "c0ffee", TEXT)
    product = await them.product("shop")
    assert product
    assert product.client
    assert (await them.get("shop")).commit == "c0ffee"
    assert [app.name for app in await them.all()] == ["shop"]


async def test_a_second_app_of_the_name_is_refused(database: db.Database) -> None:
    them = apps.Apps(database)
    await them.create("shop", "ana")
    with pytest.raises(errors.Conflict, match="an app shop already"):
        await them.create("shop", "ben")


@pytest.mark.parametrize("name", ["", "Shop", "../shop", "shop\n", "-x", "a" * 33, "a.b", "x-"])
async def test_an_unsafe_name_is_refused(database: db.Database, name: str) -> None:
    with pytest.raises(errors.Invalid, match="lower-case"):
        await apps.Apps(database).create(name, "ana")


async def test_a_broken_file_or_one_of_another_app_leaves_the_old_one_in_force(
    database: db.Database,
) -> None:
    them = apps.Apps(database)
    await them.create("shop", "ana")
    await them.accept("shop", "c0ffee", TEXT)
    with pytest.raises(errors.Invalid, match="has 1 problem"):
        await them.accept("shop", "bad", TEXT + "[clients]\n")
    with pytest.raises(errors.Invalid, match="of shoe, not of shop"):
        await them.accept("shop", "bad", TEXT.replace("shop", "shoe"))
    weak = '[environments.production]\ndomain = "a.b"\npolicy.approvals = 0\n'
    with pytest.raises(errors.Invalid, match="without a reason"):
        await them.accept("shop", "bad", TEXT + weak)
    assert (await them.get("shop")).commit == "c0ffee"


async def test_an_unknown_app_is_not_found(database: db.Database) -> None:
    them = apps.Apps(database)
    for attempt in (them.get("shop"), them.product("shop"), them.accept("shop", "c", TEXT)):
        with pytest.raises(errors.NotFound, match="no app 'shop'"):
            await attempt
