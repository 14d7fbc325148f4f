from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.appfile import parsing, words
from shipway.environments import model
from shipway.kit import errors

PRODUCT = parsing.parse(
    """
name = "shop"
[client]
[variables.STRIPE_KEY]
kind = "secret"
required = true
[variables.DB_URL]
kind = "secret"
required = true
[variables.EXPO_PUBLIC_THEME]
kind = "public"
[variables.PAGE_SIZE]
required = true
[environments.staging]
domain = "staging.shop.example"
variables = { PAGE_SIZE = "5" }
"""
)
SECRET = model.Stored(name="STRIPE_KEY", kind="secret", sealed=b"sealed", likeness=b"same")


def test_missing_are_the_required_ones_without_a_value() -> None:
    # Without a section [database] Shipway has no address to give.
    assert model.missing("staging", PRODUCT, []) == ("STRIPE_KEY", "DB_URL")
    assert model.missing("production", PRODUCT, ["STRIPE_KEY", "DB_URL"]) == ("PAGE_SIZE",)


def test_a_variable_may_be_another_name_of_one_that_shipway_fills() -> None:
    product = parsing.parse(
        """
name = "shop"
[server]
kind = "python"
entry = "shop.main:main"
[database]
migrate = ["true"]
head = ["true"]
[variables.DATABASE_URL]
kind = "secret"
required = true
same_as = "DB_URL"
[variables.EXPO_PUBLIC_API_URL]
kind = "public"
same_as = "API_URL"
suffix = "/v1"
[environments.staging]
domain = "staging.shop.example"
"""
    )
    values = {"DB_URL": "postgresql:///shop", "API_URL": "https://api", "PORT": "1"}
    assert product.same(values) == {
        "DATABASE_URL": "postgresql:///shop",
        "EXPO_PUBLIC_API_URL": "https://api/v1",
    }
    given = {**values, "DATABASE_URL": "postgresql:///other"}
    assert "DATABASE_URL" not in product.same(given)
    assert model.missing("staging", product, []) == ()
    assert product.called("DB_URL") == ("DB_URL", "DATABASE_URL")
    shown = {one.name: one.source for one in model.show("staging", product, {})}
    assert shown["DATABASE_URL"] == "generated"
    assert shown["EXPO_PUBLIC_API_URL"] == "provided"


def test_every_variable_is_shown_with_its_source() -> None:
    shown = {v.name: v for v in model.show("staging", PRODUCT, {"STRIPE_KEY": SECRET})}
    assert {name: variable.source for name, variable in shown.items()} == {
        "API_URL": "provided",
        "DB_URL": "missing",
        "EXPO_PUBLIC_DOMAIN": "provided",
        "EXPO_PUBLIC_THEME": "missing",
        "JWT_SECRET": "generated",
        "NODE_ENV": "provided",
        "PAGE_SIZE": "file",
        "STRIPE_KEY": "set",
    }
    assert shown["API_URL"].kind == "plain"
    assert shown["EXPO_PUBLIC_DOMAIN"].kind == "public"


def test_an_undeclared_variable_is_a_secret_unless_expo_shows_it() -> None:
    assert model.kind_of("ANYTHING", None, PRODUCT) == "secret"
    assert model.kind_of("ANYTHING", "plain", PRODUCT) == "plain"
    assert model.kind_of("EXPO_PUBLIC_X", None, None) == "public"
    assert model.kind_of("PAGE_SIZE", None, PRODUCT) == "plain"
    with pytest.raises(errors.Invalid, match="declared as secret"):
        model.kind_of("STRIPE_KEY", "plain", PRODUCT)


def test_secrets_are_not_in_what_is_printed() -> None:
    provided = model.Provided(domain="d", api_url="u", db_url="postgresql://us:hunter2@h/d")
    assert "hunter2" not in repr(provided)
    assert "sealed" not in repr(SECRET).replace("kind='sealed'", "")


@given(
    name=st.text(max_size=40) | st.sampled_from(["DB_URL", "A", "EXPO_PUBLIC_A"]),
    value=st.text(min_size=9, max_size=60),
    kind=st.sampled_from(["secret", "plain", "public"]),
)
def test_a_refusal_never_repeats_the_value(name: str, value: str, kind: words.VariableKind) -> None:
    try:
        model.check(name, f"<{value}>", kind)
    except errors.Invalid as error:
        assert f"<{value}>" not in str(error)  # noqa: PT017 -- accepting is right as well


_STORED = st.dictionaries(
    st.sampled_from(["A", "B", "STRIPE_KEY"]),
    st.tuples(st.sampled_from(["secret", "plain"]), st.sampled_from(["hunter2-1", "hunter2-2"])),
)


def _stored(values: dict[str, tuple[str, str]]) -> dict[str, model.Stored]:
    return {
        name: model.Stored(name=name, kind="secret", sealed=value.encode())
        if kind == "secret"
        else model.Stored(name=name, kind="plain", value=value)
        for name, (kind, value) in values.items()
    }


@given(a=_STORED, b=_STORED)
def test_a_difference_never_holds_a_secret(
    a: dict[str, tuple[str, str]], b: dict[str, tuple[str, str]]
) -> None:
    left, right = (model.show("staging", None, _stored(side)) for side in (a, b))
    found = model.differences(("staging", "production"), (left, right), lambda n: a[n] == b[n])
    told = {difference.name: difference for difference in found}
    assert set(told) == {name for name in {*a, *b} if a.get(name) != b.get(name)}
    for name, difference in told.items():
        if "secret" in {side[name][0] for side in (a, b) if name in side}:
            assert (difference.a, difference.b) == (None, None)
            assert "hunter2" not in repr(difference)
