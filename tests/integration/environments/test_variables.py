from __future__ import annotations

import asyncio
import pathlib

import pytest

from shipway.appfile import parsing, words
from shipway.environments import apps, model, variables, vault
from shipway.kit import db, errors

pytestmark = pytest.mark.anyio

SHOP = """
name = "shop"
[server]
kind = "python"
entry = "shop.main:main"
[client]
[variables.STRIPE_KEY]
kind = "secret"
required = true
description = "From the dashboard of Stripe."
[variables.EXPO_PUBLIC_THEME]
kind = "public"
default = "light"
[variables.PAGE_SIZE]
default = "20"
[environments.staging]
domain = "staging.shop.example"
variables = { PAGE_SIZE = "5" }
[environments.production]
domain = "shop.example"
"""
PRODUCT = parsing.parse(SHOP)
PROVIDED = model.Provided(
    domain="shop.example:8443",
    api_url="https://api.shop.example:8443",
    release="v1.0.0",
    db_url="postgresql://app:pw@/shop",
)
SECRET = "sk_live_0123456789"


@pytest.fixture
async def shop(database: db.Database) -> apps.Apps:
    them = apps.Apps(database)
    await them.create("shop", "ana")
    await them.accept("shop", "c0ffee", SHOP)
    return them


@pytest.fixture
def worker(database: db.Database, home: pathlib.Path, shop: apps.Apps) -> variables.Variables:
    return variables.Variables(database, vault.Vault.create(home))


@pytest.fixture
def api(
    database: db.Database, home: pathlib.Path, worker: variables.Variables
) -> variables.Variables:
    return variables.Variables(database, vault.Vault.at(home))


async def test_the_api_sets_a_secret_that_only_the_worker_reads(
    api: variables.Variables, worker: variables.Variables
) -> None:
    assert await api.set("shop", "production", "STRIPE_KEY", SECRET, None, "ana") == "secret"
    opened = await worker.server_environment("shop", "production", PRODUCT, PROVIDED)
    assert opened["STRIPE_KEY"] == SECRET
    with pytest.raises(errors.Denied):
        await api.server_environment("shop", "production", PRODUCT, PROVIDED)
    with pytest.raises(errors.Denied):
        await api.secret_values("shop", "production")


async def test_a_secret_is_nowhere_in_the_database_and_in_nothing_shown(
    api: variables.Variables, database: db.Database
) -> None:
    await api.set("shop", "production", "STRIPE_KEY", SECRET, None, "ana")
    row = await database.row("select row_to_json(v)::text as all from environments.variables v")
    assert row
    assert SECRET not in row["all"]
    assert SECRET.encode().hex() not in row["all"]
    shown = {v.name: v for v in await api.show("shop", "production")}
    assert shown["STRIPE_KEY"].value is None
    assert shown["STRIPE_KEY"].source == "set"
    assert shown["STRIPE_KEY"].set_by == "ana"
    assert shown["STRIPE_KEY"].description == "From the dashboard of Stripe."
    assert SECRET not in repr(shown) + repr(await api.diff("shop", "staging", "production"))


async def test_an_instance_gets_what_was_set_before_what_is_written_before_what_is_provided(
    worker: variables.Variables,
) -> None:
    await worker.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    await worker.set("shop", "staging", "API_URL", "https://elsewhere.example", "plain", "ana")
    opened = await worker.server_environment("shop", "staging", PRODUCT, PROVIDED)
    generated = opened.pop("JWT_SECRET")
    assert len(generated) >= 32
    assert opened == {
        "NODE_ENV": "staging",
        "EXPO_PUBLIC_DOMAIN": "shop.example:8443",
        "EXPO_PUBLIC_THEME": "light",
        "API_URL": "https://elsewhere.example",
        "DB_URL": "postgresql://app:pw@/shop",
        "PAGE_SIZE": "5",
        "STRIPE_KEY": SECRET,
        "HOST": "127.0.0.1",
        "SHIPWAY_ENVIRONMENT": "staging",
        "SHIPWAY_RELEASE": "v1.0.0",
    }
    again = await worker.server_environment("shop", "staging", PRODUCT, PROVIDED)
    assert again["JWT_SECRET"] == generated


async def test_the_client_gets_public_variables_and_nothing_else(
    api: variables.Variables,
) -> None:
    await api.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    await api.set("shop", "staging", "EXPO_PUBLIC_THEME", "dark", None, "ana")
    assert await api.public("shop", "staging", PRODUCT, PROVIDED) == {
        "EXPO_PUBLIC_DOMAIN": "shop.example:8443",
        "EXPO_PUBLIC_THEME": "dark",
    }


async def test_a_required_variable_without_a_value_stops_the_instance_with_its_name(
    worker: variables.Variables,
) -> None:
    assert await worker.missing("shop", "staging", PRODUCT) == ("STRIPE_KEY",)
    with pytest.raises(errors.Refused, match="staging of shop needs STRIPE_KEY"):
        await worker.server_environment("shop", "staging", PRODUCT, PROVIDED)


async def test_a_given_address_makes_the_database_the_providers(
    worker: variables.Variables,
) -> None:
    await worker.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    assert not await worker.provider_database("shop", "staging")
    assert await worker.given_database("shop", "staging") == ""
    given = "postgresql://us:p%40ss-word@db.example:5432/shop"
    await worker.set("shop", "staging", "DB_URL", given, None, "ana")
    assert await worker.provider_database("shop", "staging")
    assert await worker.given_database("shop", "staging") == given
    opened = await worker.server_environment("shop", "staging", PRODUCT, PROVIDED)
    assert opened["DB_URL"] == given
    assert {given, SECRET} <= {*await worker.secret_values("shop", "staging")}
    await worker.unset("shop", "staging", "DB_URL")
    assert not await worker.provider_database("shop", "staging")


async def test_a_difference_of_secrets_is_told_without_them(api: variables.Variables) -> None:
    await api.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    only_one = {d.name: d.sentence for d in await api.diff("shop", "staging", "production")}
    assert only_one["STRIPE_KEY"] == "STRIPE_KEY has no value in production"
    assert only_one["PAGE_SIZE"] == "PAGE_SIZE differs"
    await api.set("shop", "production", "STRIPE_KEY", "sk_live_other", None, "ana")
    other = {d.name: d for d in await api.diff("shop", "staging", "production")}
    assert other["STRIPE_KEY"].sentence == "STRIPE_KEY differs (secret)"
    assert (other["STRIPE_KEY"].a, other["STRIPE_KEY"].b) == (None, None)
    await api.set("shop", "production", "STRIPE_KEY", SECRET, None, "ana")
    same = {d.name for d in await api.diff("shop", "staging", "production")}
    assert same == {"PAGE_SIZE"}


async def test_what_shipway_generates_is_made_once_even_by_many_at_once(
    worker: variables.Variables,
) -> None:
    made = await asyncio.gather(
        *(worker.internal("shop", "staging", "owner_password") for _ in range(8))
    )
    assert len(set(made)) == 1
    assert await worker.internal("shop", "production", "owner_password") != made[0]
    assert made[0] in await worker.secret_values("shop", "staging")


@pytest.mark.parametrize(
    ("name", "value", "kind", "told"),
    [
        ("PORT", "80", "plain", "belongs to the system"),
        ("SHIV_ENTRY_POINT", "os:abort", "plain", "does not begin with SHIV_"),
        ("PGHOST", "elsewhere", "plain", "belongs to the system"),
        ("lower", "x", "plain", "upper-case letters"),
        ("API_HOST", "a\0b", "plain", "zero byte"),
        ("API_HOST", "", "plain", "empty"),
        ("API_HOST", "x" * 70_000, "plain", "longer than 64 KiB"),
        ("THEME", "dark", "public", "begins with EXPO_PUBLIC_"),
        ("EXPO_PUBLIC_KEY", "hunter2hunter2", "secret", 'kind = "public"'),
        ("DB_URL", "mysql://hunter2hunter2@db/x", None, "postgresql://"),
        ("STRIPE_KEY", "hunter2hunter2", "plain", "declared as secret"),
    ],
)
async def test_a_wrong_variable_is_refused_without_repeating_it(
    api: variables.Variables, name: str, value: str, kind: words.VariableKind, told: str
) -> None:
    with pytest.raises(errors.Invalid, match=r"(?s).*") as caught:
        await api.set("shop", "staging", name, value, kind, "ana")
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_what_is_not_there_is_said_so(api: variables.Variables) -> None:
    with pytest.raises(errors.NotFound, match="no environment 'prod'"):
        await api.show("shop", "prod")
    with pytest.raises(errors.NotFound, match="no app 'shoe'"):
        await api.show("shoe", "staging")
    with pytest.raises(errors.NotFound, match="no app 'shoe'"):
        await api.set("shoe", "staging", "A", "b", None, "ana")
    await api.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    with pytest.raises(errors.NotFound, match="Did you mean STRIPE_KEY"):
        await api.unset("shop", "staging", "STRIP_KEY")


async def test_another_vault_cannot_open_a_secret_and_says_what_to_do(
    api: variables.Variables, database: db.Database, tmp_path: pathlib.Path
) -> None:
    await api.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    stranger = variables.Variables(database, vault.Vault.create(tmp_path))
    with pytest.raises(errors.Failed, match="Set it again"):
        await stranger.server_environment("shop", "staging", PRODUCT, PROVIDED)


async def test_removing_an_app_removes_its_secrets(
    api: variables.Variables, shop: apps.Apps, database: db.Database
) -> None:
    await api.set("shop", "staging", "STRIPE_KEY", SECRET, None, "ana")
    await shop.remove("shop")
    await shop.remove("shop")
    assert await database.rows("select 1 from environments.variables") == []
