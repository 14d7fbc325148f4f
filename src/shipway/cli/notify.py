"""Who is told of failures and deployments of an app."""

from __future__ import annotations

import click

from shipway.cli import apps, options, output
from shipway.cli.session import Session, verb
from shipway.client import wire


@click.group()
def notify() -> None:
    """Tell a webhook or an address of failures and deployments."""


@notify.command("list")
@options.app
@options.as_json
@verb
async def list_channels(session: Session, app: str | None, *, as_json: bool) -> None:
    """List who is told."""
    async with session.client() as client:
        page = await client.channels(session.app(app))
    if as_json:
        session.out.json(page)
        return
    rows = ((one.id, one.kind, one.target, output.ago(one.created)) for one in page.items)
    session.out.table(("channel", "kind", "target", "added"), rows, empty="Nobody is told.")


@options.examples(
    "shipway notify add https://example.org/hooks/shipway", "shipway notify add team@example.org"
)
@notify.command()
@click.argument("target")
@options.app
@verb
async def add(session: Session, target: str, app: str | None) -> None:
    """Tell TARGET: an http(s) address for a signed webhook, or an e-mail address.

    The key that a webhook's signature is made with is printed once.
    """
    kind: wire.ChannelKind = "webhook" if "://" in target else "email"
    async with session.client() as client:
        added = await client.add_channel(session.app(app), kind, target)
    session.out.say(f"{added.target} is told from now on, as {added.id}.")
    if added.secret:
        session.out.say(f"Key of its signature, shown this once: {added.secret}")


@notify.command()
@click.argument("channel")
@options.app
@verb
async def remove(session: Session, channel: str, app: str | None) -> None:
    """Tell CHANNEL no more."""
    async with session.client() as client:
        said = await client.remove_channel(session.app(app), channel)
    session.out.say(said.sentence)


@notify.command()
@options.app
@options.as_json
@options.limit(50)
@options.after
@verb
async def sent(session: Session, app: str | None, limit: int, after: str, *, as_json: bool) -> None:
    """Show what was sent, and what could not be."""
    async with session.client() as client:
        page = await client.deliveries(session.app(app), limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (output.ago(one.at), one.state, one.event, one.subject, one.last_error)
        for one in page.items
    )
    columns = ("when", "state", "event", "subject", "last error")
    session.out.table(columns, rows, empty="Nothing was sent yet.")
    apps.more(session, page.next)
