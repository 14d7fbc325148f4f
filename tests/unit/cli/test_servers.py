from __future__ import annotations

import pytest

from shipway.cli import servers
from shipway.kit import errors


def server(name: str) -> servers.Server:
    return servers.Server(name=name, url=f"https://{name}", token="shp_secret")


def test_a_kept_server_is_the_current_one_and_found_by_name_and_address(
    logins: servers.Servers,
) -> None:
    logins.keep(server("one.example"))
    logins.keep(server("two.example"))
    assert logins.find().name == "two.example"
    assert (
        logins.find("one.example") == logins.find("https://one.example/") == server("one.example")
    )


def test_the_file_is_readable_by_its_owner_alone(logins: servers.Servers) -> None:
    logins.keep(server("one.example"))
    assert logins.file.stat().st_mode & 0o777 == 0o600
    assert logins.file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in logins.file.parent.iterdir()] == ["servers.toml"]


def test_forgetting_the_current_server_falls_back_to_another(logins: servers.Servers) -> None:
    logins.keep(server("one.example"))
    logins.keep(server("two.example"))
    logins.forget("two.example")
    assert logins.find().name == "one.example"
    logins.forget("one.example")
    with pytest.raises(errors.NotFound, match="not logged in to any"):
        logins.find()


def test_a_token_is_not_in_the_representation() -> None:
    assert "shp_secret" not in repr(server("one.example"))


def test_a_broken_file_is_named(logins: servers.Servers) -> None:
    logins.file.parent.mkdir(parents=True)
    logins.file.write_text("current = ")
    with pytest.raises(errors.Invalid, match=r"servers\.toml cannot be read"):
        logins.find()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://shipway.example.org", "shipway.example.org"),
        ("http://127.0.0.1:7700", "127.0.0.1:7700"),
        ("https://me@shipway.example.org", "shipway.example.org"),
    ],
)
def test_a_server_is_named_after_its_host(url: str, name: str) -> None:
    assert servers.name_of(url) == name


@pytest.mark.parametrize("url", ["shipway.example.org", "ftp://x", "https://", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(errors.Invalid, match="no address of a Shipway"):
        servers.name_of(url)
