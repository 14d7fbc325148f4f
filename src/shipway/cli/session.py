"""What every command needs to know: which server, as whom, which app, and where to print."""

from __future__ import annotations

import asyncio
import functools
import pathlib
import tomllib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

import click

from shipway.cli import output, servers
from shipway.client.client import Client
from shipway.kit import errors

P = ParamSpec("P")

Connect = Callable[[servers.Server], Client]

FILE = "shipway.toml"


def connect(server: servers.Server) -> Client:
    """Return a client of a server."""
    ca_file = pathlib.Path(server.ca_file) if server.ca_file else None
    return Client(server.url, server.token, ca_file)


@dataclass(kw_only=True)
class Session:
    """One call of the command line. ``wanted`` is the server that was asked for, by name or URL.

    With ``token`` (from SHIPWAY_TOKEN, for programs) nothing is read from the person's file.
    """

    wanted: str = ""
    token: str = field(default="", repr=False)
    ca_file: str = ""
    folder: pathlib.Path = field(default_factory=pathlib.Path.cwd)
    logins: servers.Servers = field(default_factory=servers.Servers)
    out: output.Output = field(default_factory=output.Output)
    connect: Connect = connect

    @property
    def server(self) -> servers.Server:
        """The server to speak to. Raises `errors.NotFound` when there is none."""
        if not self.token:
            return self.logins.find(self.wanted)
        name = servers.name_of(self.wanted)
        return servers.Server(name=name, url=self.wanted, token=self.token, ca_file=self.ca_file)

    def client(self) -> Client:
        """Return a client of the server, to be used as an asynchronous context."""
        return self.connect(self.server)

    def app(self, given: str | None) -> str:
        """Return the app that was named, or the one whose checkout this is.

        Raises `errors.NotFound` outside a checkout, `errors.Invalid` when its file has no name.
        """
        if given:
            return given
        for folder in (self.folder, *self.folder.parents):
            if (folder / FILE).is_file():
                return _name_in(folder / FILE)
        raise errors.NotFound(
            f"There is no {FILE} here, so the app is not known.",
            fix="Go into the app's checkout, or name the app with --app.",
        )


def verb(
    body: Callable[Concatenate[Session, P], Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Make an asynchronous function of a session into what click calls."""

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(body(click.get_current_context().ensure_object(Session), *args, **kwargs))

    return run


def _name_in(file: pathlib.Path) -> str:
    try:
        name = tomllib.loads(file.read_text()).get("name")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.Invalid(f"{file} is no TOML: {error}.", fix="Mend that line.") from error
    if not isinstance(name, str) or not name:
        raise errors.Invalid(f"{file} has no name.", fix='Begin it with: name = "my-app"')
    return name
