"""Writing a shipway.toml for a repository that has none."""

from __future__ import annotations

import click

from shipway import appfile
from shipway.cli import options
from shipway.cli.session import FILE, Session, verb
from shipway.kit import errors


@click.command()
@click.option("--stdout", is_flag=True, help="Print it instead of writing it.")
@options.yes
@verb
async def init(session: Session, *, stdout: bool, yes: bool) -> None:
    """Write a shipway.toml for this repository.

    It is made from what is found here: Expo, package.json scripts, pyproject.toml, Alembic,
    Drizzle, Prisma. No server is needed. Read what it wrote: every line has a comment.
    """
    text = appfile.propose(session.folder)
    if stdout:
        click.echo(text, nl=False)
        return
    file = session.folder / FILE
    if file.exists() and not yes:
        raise errors.Conflict(
            f"{FILE} is already here.", fix="`shipway init --yes` writes it anew."
        )
    file.write_text(text)
    session.out.say(f"{FILE} is written. Read it, then: shipway app create")
