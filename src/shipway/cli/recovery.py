"""A database as it was at some moment: brought up beside the live one, used or thrown away."""

from __future__ import annotations

import asyncio

import click

from shipway.cli import options
from shipway.cli.session import Session, verb
from shipway.client import backups_wire
from shipway.client.client import Client
from shipway.kit import errors

LOOK_SECONDS = 1.0
TOLD_TABLES = 20

REPOSITORIES = {"folder": 1, "bucket": 2}


@options.examples(
    "shipway db restore --to '2026-11-22 14:03'",
    "shipway db restore --to v12 --preview",
    "shipway db restore --to 'before 0007_prices' --from bucket",
)
@click.command()
@options.environment
@click.option(
    "--to",
    default="newest",
    show_default=True,
    metavar="MOMENT",
    help="A time (UTC, or with an offset), a release, 'before' and a migration, or newest.",
)
@click.option(
    "--from", "source", type=click.Choice(list(REPOSITORIES)), help="Else the nearer one."
)
@click.option("--preview", is_flag=True, help="Only say what would be done, and lost.")
@options.app
@options.as_json
@verb
async def restore(
    session: Session,
    environment: str,
    to: str,
    source: str | None,
    app: str | None,
    *,
    preview: bool,
    as_json: bool,
) -> None:
    """Bring up a copy of the database as of MOMENT, beside the live one.

    The live database serves on. The last moment of a release is the one before the next release's
    migration. When the copy stands, `shipway db promote` puts it in place, `shipway db bring-back`
    copies rows from it, and `shipway db discard` throws it away.
    """
    number = REPOSITORIES[source] if source else None
    async with session.client() as client:
        name = session.app(app)
        if preview:
            told = await client.preview_restore(name, environment, to, number)
            if as_json:
                session.out.json(told)
            else:
                for sentence in told.sentences:
                    session.out.say(sentence)
            return
        body = backups_wire.AskOperation(kind="restore", to=to, repository=number)
        done = await _followed(session, client, name, environment, body)
        found = await client.database(name, environment)
    if as_json:
        session.out.json(found)
        return
    session.out.say(done.sentence, "green")
    differences = found.recovery.differences if found.recovery else ()
    rows = (
        (one.table, _count(one.live), _count(one.copy_))
        for one in differences[:TOLD_TABLES]
        if one.live != one.copy_
    )
    session.out.table(("table", "live", "copy"), rows, empty="Every table has as many rows.")


def _count(rows: int | None) -> str:
    return "not there" if rows is None else f"{rows:,}"


async def _followed(
    session: Session,
    client: Client,
    app: str,
    environment: str,
    body: backups_wire.AskOperation,
) -> backups_wire.Operation:
    """Ask for an operation and say how far it is until it is over. Raises `errors.Failed`."""
    one = await client.start_operation(app, environment, body)
    told = ""
    while one.ended is None:
        if one.sentence and one.sentence != told:
            told = one.sentence
            session.out.note(told)
        await asyncio.sleep(LOOK_SECONDS)  # its sentence changes on the way, not only at its end
        one = await client.operation(app, environment, one.id)
    if one.state == "failed":
        raise errors.Failed(one.sentence)
    return one


async def _perform(
    session: Session, app: str | None, environment: str, body: backups_wire.AskOperation
) -> None:
    async with session.client() as client:
        done = await _followed(session, client, session.app(app), environment, body)
    session.out.say(done.sentence, "green")


@options.examples("shipway db promote")
@click.command()
@options.environment
@options.yes
@options.app
@verb
async def promote(session: Session, environment: str, app: str | None, *, yes: bool) -> None:
    """Put the copy in place of the live database.

    What was written after its moment goes: it stays in the backups, and in the data before, which
    is kept until `shipway db discard`. The app is without its database for some seconds.
    """
    consequence = f"What was written to {environment} after the copy's moment will be gone."
    options.confirm(environment, consequence, sure=yes)
    await _perform(session, app, environment, backups_wire.AskOperation(kind="promote"))


@options.examples("shipway db bring-back orders", "shipway db bring-back prices --replace")
@click.command("bring-back")
@click.argument("tables", nargs=-1, required=True, metavar="TABLE…")
@options.environment
@click.option("--replace", is_flag=True, help="Replace all rows, instead of adding the missing.")
@options.app
@verb
async def bring_back(
    session: Session, tables: tuple[str, ...], environment: str, app: str | None, *, replace: bool
) -> None:
    """Copy the rows of each TABLE from the copy into the live database.

    Rows that are there already stay as they are.
    """
    body = backups_wire.AskOperation(kind="bring_back", tables=tables, replace=replace)
    await _perform(session, app, environment, body)


@click.command()
@options.environment
@options.app
@verb
async def discard(session: Session, environment: str, app: str | None) -> None:
    """Throw away the copy, and the data that a promoted copy has replaced."""
    await _perform(session, app, environment, backups_wire.AskOperation(kind="discard"))


VERBS = (restore, promote, bring_back, discard)
"""What `shipway db` can do about copies."""
