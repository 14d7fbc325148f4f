"""Logging in to servers, and between several of them."""

from __future__ import annotations

import pathlib

import click
import pydantic

from shipway.cli import git, options, servers
from shipway.cli.session import Session, verb
from shipway.kit import errors


@options.examples(
    "shipway login https://shipway.example.org",
    "pass shipway | shipway login https://shipway.example.org --token -",
)
@click.command()
@click.argument("url")
@click.option("--token", "source", metavar="-", help="`-` reads the token from standard input.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=pathlib.Path),
    help="Authorities to trust besides the public ones (PEM).",
)
@verb
async def login(
    session: Session, url: str, source: str | None, ca_file: pathlib.Path | None
) -> None:
    """Log in to the Shipway at URL with a token.

    The token is asked for and not shown. It is kept in your configuration folder, readable by
    you alone, and this server is spoken to from now on.
    """
    if source not in {None, "-"}:
        raise errors.Invalid(
            "A token on the command line can be read by everybody on this machine.",
            fix="Leave --token out and type it, or pipe it in with `--token -`.",
        )
    name = servers.name_of(url)
    token = session.token or options.secret(f"Token for {name}")
    await enter(session, url, token, ca_file)


async def enter(
    session: Session, url: str, token: str, ca_file: pathlib.Path | None = None
) -> None:
    """Try a token, and keep it when the server knows it."""
    given = servers.Server(
        name=servers.name_of(url),
        url=url.rstrip("/"),
        token=token.strip(),
        ca_file=str(ca_file or ""),
    )
    async with session.connect(given) as client:
        me = await client.me()
    session.logins.keep(
        servers.Server(
            name=given.name,
            url=given.url,
            token=given.token,
            person=me.person,
            ca_file=given.ca_file,
        )
    )
    session.out.say(f"You are {me.person} ({me.role}) at {given.name}.")


@click.command()
@click.argument("name", default="")
@verb
async def logout(session: Session, name: str) -> None:
    """Forget the token of a server.

    Without NAME it is the current one. The token stays valid:
    `shipway people revoke` ends it.
    """
    server = session.logins.find(name or session.wanted)
    session.logins.forget(server.name)
    session.out.say(f"{server.name} is forgotten.")


@click.command()
@options.as_json
@verb
async def whoami(session: Session, *, as_json: bool) -> None:
    """Show who you are to the server, and until when."""
    async with session.client() as client:
        me = await client.me()
    if as_json:
        session.out.json(me)
    else:
        until = f"until {me.token.expires:%Y-%m-%d}" if me.token.expires else "without end"
        session.out.say(
            f"{me.person} ({me.role}) at {session.server.name}, "
            f"by the token `{me.token.name}`, valid {until}."
        )


class Login(pydantic.BaseModel):
    """A server as `server list` shows it: without its token."""

    name: str
    url: str
    person: str
    current: bool


class Logins(pydantic.BaseModel):
    items: tuple[Login, ...]


@click.group()
def server() -> None:
    """The servers that you are logged in to."""


@server.command("list")
@options.as_json
@verb
async def list_servers(session: Session, *, as_json: bool) -> None:
    """List them; `*` marks the one that commands speak to."""
    current = session.logins.current
    known = [
        Login(name=one.name, url=one.url, person=one.person, current=one.name == current)
        for one in session.logins.all()
    ]
    if as_json:
        session.out.json(Logins(items=tuple(known)))
        return
    rows = (("*" if one.current else "", one.name, one.url, one.person) for one in known)
    session.out.table(("", "name", "address", "person"), rows, empty="You are not logged in.")


@server.command("use")
@click.argument("name")
@verb
async def use(session: Session, name: str) -> None:
    """Speak to the server NAME from now on."""
    session.out.say(f"Commands speak to {session.logins.use(name).name} now.")


@click.command("git-credential", hidden=True)
@click.argument("operation")
@verb
async def git_credential(session: Session, operation: str) -> None:
    """Answer git, which asks for the token of the remote."""
    if operation == "get":
        click.echo(git.credential(session.server), nl=False)
