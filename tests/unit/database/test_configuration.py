from __future__ import annotations

import urllib.parse

import psycopg.conninfo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from shipway.database import addresses, configuration


def test_nothing_listens_on_the_network() -> None:
    for values in (configuration.STORE, configuration.CLUSTER):
        text = configuration.settings(values, sockets="/var/lib/shipway/run/store")
        assert "listen_addresses = ''\n" in text
        assert "unix_socket_directories = '\"/var/lib/shipway/run/store\"'\n" in text


def test_quotes_in_a_value_stay_inside_it() -> None:
    assert configuration.settings({"a": "it's"}, sockets="/s").startswith("a = 'it''s'\n")


def test_what_no_rule_admits_is_rejected() -> None:
    assert configuration.admission([("shipway", "shipway", "peer map=shipway")]) == snapshot("""\
local shipway shipway peer map=shipway
local all all reject
local replication all reject
host all all all reject
""")


def test_who_comes_by_a_port_needs_a_password() -> None:
    told = configuration.admission(
        [("all", "postgres", "peer map=keeper"), ('"a"', "server", "scram-sha-256")]
    )
    assert [line for line in told.splitlines() if line.startswith("host")] == [
        'host "a" server 127.0.0.1/32 scram-sha-256',
        "host all all all reject",
    ]
    assert configuration.reached_by(19000) == {"listen_addresses": "127.0.0.1", "port": "19000"}
    assert configuration.reached_by(0) == {}


def test_an_address_by_port_is_one_that_every_library_reads() -> None:
    url = urllib.parse.urlsplit(addresses.by_port(19000, "my-app", "server", "a/b@c"))
    assert (url.hostname, url.port, url.path, url.query) == ("127.0.0.1", 19000, "/my-app", "")
    assert urllib.parse.unquote(url.password or "") == "a/b@c"


def test_users_map_to_roles() -> None:
    assert configuration.identities("keeper", {"sw-store-1": "postgres"}) == (
        "keeper sw-store-1 postgres\n"
    )


@given(
    st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters="\x7f"), min_size=1)
)
def test_an_address_survives_any_password(password: str) -> None:
    url = addresses.by_socket("/var/lib/shipway/run/1a2b", "my-app", "server", password)
    assert psycopg.conninfo.conninfo_to_dict(url) == {
        "user": "server",
        "password": password,
        "dbname": "my-app",
        "host": "/var/lib/shipway/run/1a2b",
    }


def test_an_address_is_one_that_other_libraries_read_too() -> None:
    url = urllib.parse.urlsplit(addresses.by_socket("/run/pg", "aios", "server", "a/b"))
    assert (url.scheme, url.hostname, url.path, url.query) == (
        "postgresql", None, "/aios", "host=/run/pg",
    )  # fmt: skip
    assert urllib.parse.unquote(url.password or "") == "a/b"


@pytest.mark.parametrize("name", ["shared_buffers", "max_connections"])
def test_memory_is_bounded_on_a_small_machine(name: str) -> None:
    assert configuration.STORE[name] in {"32MB", "100"}
    assert configuration.CLUSTER[name] in {"64MB", "100"}
