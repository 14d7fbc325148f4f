"""Everything at a glance."""

from __future__ import annotations

import click

from shipway.cli import options, output
from shipway.cli.session import Session, verb
from shipway.client import status_wire, wire
from shipway.kit import errors


@click.command()
@options.as_json
@verb
async def status(session: Session, *, as_json: bool) -> None:
    """Show Shipway's parts, and what is live where.

    Leaves with exit code 7 when a part is down.
    """
    async with session.client() as client:
        found = await client.status()
    if as_json:
        session.out.json(found)
    else:
        _show(session, found)
    if down := [part.name for part in found.parts if not part.up]:
        raise errors.Unavailable(
            f"Down: {', '.join(down)}.", fix="On the server, `shipway up` starts what is down."
        )


def _show(session: Session, found: status_wire.Status) -> None:
    up = sum(part.up for part in found.parts)
    session.out.say(f"Shipway {found.version}: {up} of {len(found.parts)} parts up")
    for part in found.parts:
        if not part.up:
            session.out.say(f"  {part.name}: {part.sentence}", "red")
    for app in found.apps:
        session.out.say("")
        session.out.say(app.name, "bold")
        if app.last_run:
            session.out.say(f"  last run {app.last_run.id}: {_last(app.last_run)}")
        for environment in app.environments:
            _show_environment(session, environment)


def _show_environment(session: Session, environment: status_wire.EnvironmentStatus) -> None:
    live = environment.version or "nothing live"
    counted = f"{environment.alive} of {environment.instances} instances answer"
    session.out.say(f"  {environment.name}: {live}, {counted}. {environment.sentence}".rstrip())
    if environment.watch:
        session.out.say(f"    {environment.watch}", "yellow")
    for address in environment.addresses:
        session.out.say(f"    {address}", "dim")


def _last(run: wire.Run) -> str:
    where = f"{run.branch} at {run.commit[:10]}"
    return f"{run.state}, {where}, {output.ago(run.started)}. {run.sentence}".rstrip()
