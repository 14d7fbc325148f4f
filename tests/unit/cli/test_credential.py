from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from shipway.cli import credential, servers
from shipway.kit import errors

BOX = "https://box.example"


@pytest.fixture
def logins(tmp_path: pathlib.Path) -> servers.Servers:
    made = servers.Servers(tmp_path / "servers.toml")
    made.keep(servers.Server(name="box", url=BOX, token="shp_box"))
    return made


def test_git_gets_the_token_of_the_server_that_it_asks_for(logins: servers.Servers) -> None:
    said = credential.answer(BOX, "get", logins, {})
    assert said == "username=shipway\npassword=shp_box\n"


def test_what_git_stores_or_erases_is_none_of_ours(logins: servers.Servers) -> None:
    assert credential.answer(BOX, "store", logins, {}) == ""


@pytest.mark.parametrize("given", [{}, {"SHIPWAY_SERVER": f"{BOX}/"}])
def test_a_token_from_the_environment_comes_first(
    logins: servers.Servers, given: dict[str, str]
) -> None:
    said = credential.answer(BOX, "get", logins, {"SHIPWAY_TOKEN": "shp_ci"} | given)
    assert said.endswith("password=shp_ci\n")


def test_a_token_for_another_server_stays_here(logins: servers.Servers) -> None:
    given = {"SHIPWAY_TOKEN": "shp_ci", "SHIPWAY_SERVER": "https://ci.example"}
    assert "shp_ci" not in credential.answer(BOX, "get", logins, given)
    with pytest.raises(errors.NotFound, match="not logged in"):
        credential.answer("https://other.example", "get", logins, given)


def test_it_loads_little() -> None:
    look = "import sys, shipway.cli.credential; print(*{'click', 'httpx2', 'pydantic'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "\n"
