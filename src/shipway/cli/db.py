"""The database of an environment, and its schema."""

from __future__ import annotations

import click

from shipway.cli import backup, options, output, recovery, schema
from shipway.cli.session import Session, verb


@click.group()
def db() -> None:
    """Show the database of an environment."""


@options.examples("shipway db status", "shipway db status --env staging --json")
@db.command()
@options.environment
@options.app
@options.as_json
@verb
async def status(session: Session, environment: str, app: str | None, *, as_json: bool) -> None:
    """Show how a database does, its backups, and what should worry you."""
    async with session.client() as client:
        found = await client.database(session.app(app), environment)
    if as_json:
        session.out.json(found)
        return
    say = session.out.say
    say(f"{found.app} {found.environment}: {found.sentence}", "bold")
    say(f"backups: {found.policy}")
    if found.archiving and found.archiving.last_at:
        say(f"archived {output.ago(found.archiving.last_at)}, up to {found.archiving.last}")
    for one in found.repositories:
        backup.show_repository(session, one)
        if one.backups:
            newest = one.backups[-1]
            say(f"  last backup: {newest.label}, {output.ago(newest.ended)}")
    for worry in found.worries:
        say(worry, "yellow")


for verb_ in (*recovery.VERBS, *schema.VERBS):
    db.add_command(verb_)
