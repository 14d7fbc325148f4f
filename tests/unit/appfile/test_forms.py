"""Other forms of an address that Shipway fills."""

from __future__ import annotations

import pytest

from shipway.appfile import forms, parsing

SOCKET = "postgresql://shop:a%2Fb@/shop_db?host=/run/pg"
NETWORK = "postgresql://shop:a%2Fb@db.example:6432/shop_db?sslmode=require"


@pytest.mark.parametrize(
    ("form", "url", "written"),
    [
        ("", SOCKET, SOCKET),
        (
            "postgresql+asyncpg://{user}:{password}@/{database}?host={host}",
            SOCKET,
            "postgresql+asyncpg://shop:a%2Fb@/shop_db?host=/run/pg",
        ),
        (
            "postgres://{user}:{password}@{host}:{port}/{database}",
            NETWORK,
            "postgres://shop:a%2Fb@db.example:6432/shop_db",
        ),
        ("{password}", SOCKET, "a/b"),
        ("{host}:{port}", SOCKET, "/run/pg:5432"),
        ("{user}", "postgresql:///shop", ""),
        ("{address}", "https://api.shop.example:8443", "api.shop.example:8443"),
    ],
)
def test_an_address_is_written_as_a_library_wants_it(form: str, url: str, written: str) -> None:
    assert forms.written(form, url) == written


def test_variables_get_their_parts_of_an_address_unless_they_have_a_value() -> None:
    product = parsing.parse(
        'name = "shop"\n[server]\nkind = "python"\nentry = "shop:main"\n'
        '[variables.POSTGRES_USER]\nkind = "secret"\nsame_as = "DB_URL"\nform = "{user}"\n'
        '[variables.DATABASE_URL]\nkind = "secret"\nsame_as = "DB_URL"\n'
    )
    given = {"DB_URL": SOCKET, "DATABASE_URL": "postgresql:///other"}
    assert product.same(given) == {"POSTGRES_USER": "shop"}
    assert product.same({}) == {}
