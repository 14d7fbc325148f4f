"""Apps: creating one makes its git remote."""

from __future__ import annotations

import click

from shipway.cli import git, options, output
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.kit import errors


@click.group()
def app() -> None:
    """Create, list and remove apps."""


@options.examples("shipway app create", "shipway app create aios")
@app.command()
@click.argument("name", default="")
@verb
async def create(session: Session, name: str) -> None:
    """Create the app NAME, else the one of ./shipway.toml.

    Inside a git repository this also sets the remote `shipway`, with its token, so that
    `git push shipway main` works at once.
    """
    async with session.client() as client:
        made = await client.create_app(session.app(name))
    session.out.say(f"{made.name} is created. Its git remote: {made.git_url}")
    if await set_remote(session, made):
        session.out.note("The remote `shipway` is set. Next: shipway deploy")


@app.command()
@click.argument("name", default="")
@verb
async def remote(session: Session, name: str) -> None:
    """Set the remote `shipway` of this checkout to an app that exists."""
    async with session.client() as client:
        found = await client.app(session.app(name))
    await git.Repository.around(session.folder)
    await set_remote(session, found)
    session.out.say(f"The remote `shipway` is {found.git_url}.")


@app.command("list")
@options.as_json
@options.limit(50)
@options.after
@verb
async def list_apps(session: Session, limit: int, after: str, *, as_json: bool) -> None:
    """List the apps."""
    async with session.client() as client:
        page = await client.apps(limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (one.name, ", ".join(one.environments), one.git_url, output.ago(one.created))
        for one in page.items
    )
    empty = "There is no app yet. `shipway app create` makes one."
    session.out.table(("name", "environments", "git remote", "created"), rows, empty=empty)
    more(session, page.next)


@app.command()
@click.argument("name")
@options.yes
@verb
async def remove(session: Session, name: str, *, yes: bool) -> None:
    """Remove the app NAME: its instances, its databases, its history."""
    consequence = f"All of {name} will be gone, its databases too. Nothing brings it back."
    options.confirm(name, consequence, sure=yes)
    async with session.client() as client:
        said = await client.remove_app(name)
    session.out.say(said.sentence)


async def set_remote(session: Session, found: wire.App) -> bool:
    """Point this checkout's remote at an app; outside a repository there is nothing to do."""
    try:
        repository = await git.Repository.around(session.folder)
    except errors.NotFound:
        return False
    await repository.point_at(found.git_url, session.server)
    return True


def more(session: Session, cursor: str) -> None:
    """Say how to see the next page of a list, when there is one."""
    if cursor:
        session.out.note(f"There are more: --after {cursor}")
