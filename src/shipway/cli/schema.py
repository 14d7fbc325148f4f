"""The schema of an app: migrations in the clone, what they would do, and what they did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from shipway.appfile.model import DatabaseTool
from shipway.cli import apps, options, output
from shipway.cli.dev import Lines
from shipway.cli.session import Session, verb
from shipway.client import schema_wire
from shipway.client.client import Client
from shipway.kit import errors

if TYPE_CHECKING:
    from shipway.local.stack import Stack

BLOCKED = frozenset({"blocked", "failed"})


@click.command()
@click.argument("environment")
@options.app
@options.as_json
@options.limit(20)
@options.after
@verb
async def history(
    session: Session, environment: str, app: str | None, limit: int, after: str, *, as_json: bool
) -> None:
    """List what has changed the schema of ENVIRONMENT, the newest first."""
    async with session.client() as client:
        page = await client.migrations(session.app(app), environment, limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (
            one.release,
            one.state,
            one.before or "nothing",
            one.after,
            str(len(one.statements)),
            f"{max((s.locked_seconds for s in one.statements), default=0.0):.2f} s",
            output.ago(one.started),
            one.sentence,
        )
        for one in page.items
    )
    columns = ("release", "state", "from", "to", "statements", "longest", "begun", "")
    session.out.table(columns, rows, empty=f"No migration has run in {environment} yet.")
    apps.more(session, page.next)


@click.command()
@click.argument("release", default="")
@click.option("--environment", default="production", show_default=True)
@click.option("--again", is_flag=True, help="Rehearse now, whatever is known.")
@options.app
@options.as_json
@verb
async def plan(
    session: Session,
    release: str,
    environment: str,
    app: str | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Show what RELEASE would do to the schema of production.

    It is rehearsed on a copy of the live database, with a load of the app's own statements: how
    long each statement takes, what it locks, who waits for it, what is rewritten, and whether the
    release that is live still works afterwards. Without RELEASE it is the newest one. Leaves with
    exit code 3 when it may not run.
    """
    async with session.client() as client:
        name = session.app(app)
        if again:
            asked = await client.rehearse(name, environment, release=release)
            found = await _followed(session, client, asked)
        else:
            found = await client.plan(name, environment, release=release)
    if as_json:
        session.out.json(found)
    else:
        _show(session, found)
    if found.state in BLOCKED:
        raise errors.Refused(*(found.reasons or (found.sentence,)))


@click.command()
@click.argument("name")
@verb
async def generate(session: Session, name: str) -> None:
    """Write a migration called NAME, by the app's own tool, in this clone.

    The tool (`generate` in [database] of shipway.toml) finds a database that has all migrations
    so far. Read what it wrote: a renamed column looks like a new one and an old one to every tool.
    """
    stack, tool = _clone(session)
    if not tool.generate:
        raise errors.Refused(
            "shipway.toml does not say how a migration is written.",
            fix='Set `generate` in [database], such as ["python", "-m", "alembic", "revision",'
            ' "--autogenerate", "-m", "{name}"].',
        )
    argv = tuple(word.replace("{name}", name) for word in tool.generate)
    await stack.change_schema(tool.migrate, argv)


@click.command()
@verb
async def push(session: Session) -> None:
    """Apply this clone's migrations to its own database, and print where that leads.

    The databases of staging and production change with a release, after `git push`.
    """
    stack, tool = _clone(session)
    await stack.change_schema(tool.migrate, tool.head)


@options.examples(
    "shipway db rollback --to 0003",
    'shipway db rollback production --reason "due dates were a mistake"',
)
@click.command()
@click.argument("environment", default="")
@click.option("--to", default="", metavar="HEAD", help="In the clone: the migration that stays.")
@options.reason
@options.app
@verb
async def rollback(
    session: Session, environment: str, to: str, reason: str, app: str | None
) -> None:
    """Take the last migration of ENVIRONMENT back; without one, this clone's.

    In an environment that is done only where a copy of its database proves that going down and up
    again leaves equal data; otherwise it says what would be lost. Take the release back first:
    `shipway rollback`.
    """
    if not environment:
        stack, tool = _clone(session)
        await stack.change_schema(_down(tool, to), tool.head)
        return
    async with session.client() as client:
        asked = await client.take_schema_back(session.app(app), environment, reason=reason)
        ended = await _followed(session, client, asked)
    if ended.state in BLOCKED:
        raise errors.Refused(*(ended.reasons or (ended.sentence,)))
    session.out.say(ended.sentence, "green")


def _down(tool: DatabaseTool, to: str) -> tuple[str, ...]:
    if not tool.rollback:
        raise errors.Refused(
            "shipway.toml does not say how a migration is taken back.",
            fix='Set `rollback` in [database], such as ["python", "-m", "alembic", "downgrade",'
            ' "{to}"].',
        )
    if not to and any("{to}" in word for word in tool.rollback):
        raise errors.Invalid("Name the migration that stays.", fix="Add --to.")
    return tuple(word.replace("{to}", to) for word in tool.rollback)


def _clone(session: Session) -> tuple[Stack, DatabaseTool]:
    """Return what runs this clone's database, and its migration tool."""
    if os.name != "posix":
        raise errors.Unavailable("A clone's database needs Linux or macOS.", fix="Use WSL.")
    from shipway.local import clone, model, stack  # noqa: PLC0415 -- fcntl is not everywhere

    told = stack.Told(line=Lines(session.out), coloured=session.out.live)
    found = stack.Stack(clone.Clone.around(session.folder), model.Options(client=False), told)
    if found.product.database is None:
        raise errors.Refused("shipway.toml has no [database]: there is no schema.")
    return found, found.product.database


async def _followed(session: Session, client: Client, asked: schema_wire.Plan) -> schema_wire.Plan:
    session.out.note("It is rehearsed on a copy of the live database. Ctrl-C leaves it running.")
    seen = [one async for one in client.follow_rehearsal(asked)]
    return seen[-1]


def _show(session: Session, found: schema_wire.Plan) -> None:
    say = session.out.say
    say(f"{found.version} in {found.environment}: {found.state}, {output.ago(found.at)}", "bold")
    for file in found.pending:
        say(f"  pending: {file}")
    if found.statements:
        columns = ("statement", "takes", "locks", "waited", "rewrites")
        session.out.table(columns, map(_row, found.statements), empty="")
    for reason in found.reasons:
        say(f"  {reason}", "red")
    for remark in found.remarks:
        say(f"  {remark}", "yellow")
    if not found.reasons:
        say(found.sentence, "green")
    for more in filter(None, (found.copied, found.load)):
        session.out.note(more)


def _row(one: schema_wire.Planned) -> tuple[str, ...]:
    text = " ".join(one.sql.split())
    return (
        text if len(text) <= 60 else f"{text[:59]}…",
        f"{one.seconds:.2f} s",
        f"{one.lock} on {one.table}, {one.lock_seconds:.2f} s" if one.lock else "",
        f"{one.waited}, {one.longest_wait:.2f} s" if one.waited else "",
        ", ".join(one.rewritten),
    )


VERBS = (history, plan, generate, push, rollback)
