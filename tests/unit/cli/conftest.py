"""A terminal in a box: the command line with its own configuration and a fake API."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import click.testing
import pytest
from tests.fakes.api import Api

from shipway.cli import main, servers
from shipway.cli.session import Session
from shipway.kit import errors


@dataclass
class Result:
    """What a command printed, and how it left."""

    out: str
    err: str
    exit_code: int


@dataclass
class Terminal:
    """Where commands are typed. ``folder`` is where the person stands."""

    api: Api
    logins: servers.Servers
    folder: pathlib.Path

    def type(self, *argv: str, stdin: str = "") -> Result:
        session = Session(logins=self.logins, connect=self.api.client, folder=self.folder)
        found = click.testing.CliRunner().invoke(main.shipway, argv, input=stdin, obj=session)
        if isinstance(found.exception, errors.ShipwayError):
            return Result(found.stdout, str(found.exception), found.exception.exit_code)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Result(found.stdout, found.stderr, found.exit_code)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def logins(tmp_path: pathlib.Path) -> servers.Servers:
    return servers.Servers(tmp_path / "config" / "servers.toml")


@pytest.fixture
def terminal(api: Api, logins: servers.Servers, tmp_path: pathlib.Path) -> Terminal:
    """A person who is logged in and stands in the checkout of the app `aios`."""
    logins.keep(servers.Server(name="box", url="http://box", token="shp_box", person="ada"))
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "shipway.toml").write_text('name = "aios"\n')
    return Terminal(api, logins, folder)
