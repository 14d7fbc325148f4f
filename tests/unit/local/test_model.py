from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway import appfile
from shipway.kit import errors
from shipway.local import model

APP = """
name = "shop"
[[install]]
name = "api"
folder = "api"
run = ["uv", "sync"]
[[install]]
name = "root"
run = ["npm", "ci"]
[[install]]
name = "e2e"
folder = "e2e"
run = ["npm", "ci"]
[[install]]
name = "client"
folder = "client"
run = ["npm", "ci"]
[server]
kind = "python"
folder = "api"
entry = "shop.main:main"
port = "LISTEN"
[client]
folder = "client"
[database]
folder = "api"
migrate = ["migrate"]
head = ["head"]
[variables.DB_URL]
kind = "secret"
required = true
[variables.STRIPE_KEY]
kind = "secret"
required = true
[variables.SENTRY_DSN]
kind = "secret"
[variables.GREETING]
default = "hello"
[variables.EXPO_PUBLIC_CHANNEL]
kind = "public"
default = "development"
[environments.development]
domain = "dev.shop.localhost"
[environments.development.variables]
GREETING = "hello, developer"
"""
PRODUCT = appfile.parse(APP)
HERE = model.addresses(model.Options(port=5001))
LAN = model.addresses(model.Options(lan=True), "192.168.1.7")


def variables(
    where: model.Addresses = HERE, product: appfile.Product = PRODUCT, **given: str
) -> model.Variables:
    made = dict.fromkeys(model.secrets_to_make(product, given), "made")
    return model.variables(product, where, given=given, made=made, db_url="postgresql://here")


def test_the_server_is_told_all_and_the_client_what_is_public() -> None:
    found = variables(EXTRA="1")
    assert found.server == {
        "NODE_ENV": "development",
        "EXPO_PUBLIC_DOMAIN": "localhost:5001",
        "API_URL": "http://localhost:5001",
        "EXPO_PUBLIC_CHANNEL": "development",
        "DB_URL": "postgresql://here",
        "JWT_SECRET": "made",
        "STRIPE_KEY": "made",
        "GREETING": "hello, developer",
        "EXTRA": "1",
        "LISTEN": "5001",
        "HOST": "127.0.0.1",
        "SHIPWAY_ENVIRONMENT": "development",
        "SHIPWAY_RELEASE": "development",
    }
    assert found.client == {
        "EXPO_PUBLIC_DOMAIN": "localhost:5001",
        "EXPO_PUBLIC_CHANNEL": "development",
        "NODE_ENV": "development",
    }


def test_what_was_made_up_is_said_except_for_the_usual_secret() -> None:
    assert variables().notes == ("Made up for this clone: STRIPE_KEY. Put real values into .env.",)
    assert variables(STRIPE_KEY="sk_test").notes == ()


def test_the_persons_own_values_win() -> None:
    found = variables(JWT_SECRET="mine", DB_URL="postgresql://mine", STRIPE_KEY="sk_test")
    assert (found.server["JWT_SECRET"], found.server["DB_URL"]) == ("mine", "postgresql://mine")
    assert found.server["STRIPE_KEY"] == "sk_test"


def test_a_local_address_gives_way_to_the_one_in_use() -> None:
    found = variables(EXPO_PUBLIC_DOMAIN="localhost:5000", STRIPE_KEY="x")
    assert found.client["EXPO_PUBLIC_DOMAIN"] == "localhost:5001"
    assert found.notes == ("EXPO_PUBLIC_DOMAIN is localhost:5001, not localhost:5000 of .env.",)


def test_an_address_elsewhere_stays() -> None:
    found = variables(EXPO_PUBLIC_DOMAIN="staging.shop.example", STRIPE_KEY="x")
    assert found.client["EXPO_PUBLIC_DOMAIN"] == "staging.shop.example"
    assert found.notes == ()


def test_a_phone_is_given_addresses_that_it_can_reach() -> None:
    found = variables(LAN)
    assert found.server["HOST"] == "0.0.0.0"
    assert found.client["EXPO_PUBLIC_DOMAIN"] == "192.168.1.7:5000"
    assert found.client["EXPO_PUBLIC_API_URL"] == "http://192.168.1.7:5000"


def test_every_variable_without_a_value_is_named() -> None:
    product = appfile.parse(
        'name = "shop"\n[server]\nkind = "python"\nentry = "shop:main"\n'
        '[variables.REGION]\nrequired = true\ndescription = "Where it runs."\n'
        "[variables.CITY]\nrequired = true\n"
    )
    with pytest.raises(errors.Invalid, match=r"\.env") as refused:
        variables(product=product)
    assert refused.value.problems == (
        "REGION has no value. Where it runs.",
        "CITY has no value.",
    )


def test_only_what_runs_here_is_installed() -> None:
    steps = model.needed_installs(PRODUCT, client=True)
    assert [step.name for step in steps] == ["api", "root", "client"]
    steps = model.needed_installs(PRODUCT, client=False)
    assert [step.name for step in steps] == ["api", "root"]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A = b c  ", "b c"),
        ("A=b # a remark", "b"),
        ("A=b#c", "b#c"),
        ("A='b # c' # d", "b # c"),
        ('A="b\\nc"', "b\nc"),
        ("A=", ""),
        ("A=# nothing", ""),
        ("A='half", "'half"),
    ],
)
def test_a_line_of_dotenv(line: str, value: str) -> None:
    assert model.read_dotenv(f"# comment\n\n{line}\nnonsense\n") == {"A": value}


@given(st.text())
def test_no_dotenv_is_refused(text: str) -> None:
    model.read_dotenv(text)


@given(st.text())
def test_any_text_may_be_asked_for_being_local(text: str) -> None:
    model.is_local(text)


def test_the_summary_names_what_runs() -> None:
    assert model.summary(PRODUCT, LAN, client=True, database=["psql x"]) == [
        "server    http://192.168.1.7:5000",
        "client    http://192.168.1.7:8081",
        "phone     exp://192.168.1.7:8081 in Expo Go",
        "database  psql x",
    ]
    assert model.summary(PRODUCT, HERE, client=False, database=[]) == [
        "server    http://localhost:5001"
    ]
