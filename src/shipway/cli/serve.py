"""Starting and ending the platform on this machine: the only verbs that know more than the API."""

from __future__ import annotations

import importlib.util
import os

import click

from shipway.cli import login, options
from shipway.cli.session import Session, verb
from shipway.kit import errors


@options.examples("sudo shipway up", "SHIPWAY_HOME=~/shipway shipway up")
@click.command()
@verb
async def up(session: Session) -> None:
    """Start Shipway on this machine, or whatever of it is down.

    The first start makes its database, its keys and its first owner, prints the owner's token
    once and logs you in with it. As root each part runs as a user of its own.
    """
    need_server_parts()
    from shipway import wiring  # noqa: PLC0415 -- the command line works without the server's parts
    from shipway.kit import settings  # noqa: PLC0415 -- likewise

    found = settings.load()
    with session.out.working(f"Starting Shipway in {found.home}"):
        token = await wiring.up(found)
    url = _address(found.api_port)
    if token:
        session.out.say(f"Owner token, shown this once: {token}")
        await login.enter(session, url, token)
    session.out.say(f"Shipway is up at {url}.", "green")
    if session.logins.knows(url):
        session.out.note("Next, in an app's checkout: shipway init, then shipway app create")
    else:
        session.out.note(f"Next: shipway login {url}")


@click.command()
@click.option("--forget", is_flag=True, help="Remove all state too: apps, databases, history.")
@options.yes
@verb
async def down(session: Session, *, forget: bool, yes: bool) -> None:
    """End Shipway on this machine, with every app that it runs."""
    need_server_parts()
    from shipway import wiring  # noqa: PLC0415 -- the command line works without the server's parts
    from shipway.kit import settings  # noqa: PLC0415 -- likewise

    found = settings.load()
    if forget:
        consequence = f"Everything in {found.home} will be gone. Nothing brings it back."
        options.confirm(str(found.home), consequence, sure=yes)
    with session.out.working(f"Ending Shipway in {found.home}"):
        await wiring.down(found, forget=forget)
    if forget and session.logins.knows(url := _address(found.api_port)):
        session.logins.forget(url)
    session.out.say(f"Shipway in {found.home} is down{' and forgotten' if forget else ''}.")


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def need_server_parts() -> None:
    """Raise `errors.Unavailable` where only the command line is installed."""
    if os.name != "posix" or not importlib.util.find_spec("dbos"):
        raise errors.Unavailable(
            "This is the command line alone, without the server's parts.",
            fix="Install them on a Linux server: pip install 'shipway[server]'",
        )
