"""People, what they may do, and their tokens."""

from __future__ import annotations

import click

from shipway.cli import options, output
from shipway.cli.session import Session, verb
from shipway.client import wire

ROLES = click.Choice(("viewer", "developer", "approver", "owner"))


@click.group()
def people() -> None:
    """The people of this Shipway, their roles and tokens."""


@people.command("list")
@options.as_json
@verb
async def list_people(session: Session, *, as_json: bool) -> None:
    """List everybody."""
    async with session.client() as client:
        page = await client.people()
    if as_json:
        session.out.json(page)
        return
    rows = (
        (one.name, one.role, ", ".join(one.emails), output.ago(one.created)) for one in page.items
    )
    session.out.table(("name", "role", "commits as", "added"), rows)


@options.examples(
    "shipway people add ada --role approver --email ada@example.org", "shipway people token ada"
)
@people.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="developer", show_default=True)
@click.option("--email", "emails", multiple=True, help="An address of their commits; may repeat.")
@verb
async def add(session: Session, name: str, role: wire.RoleName, emails: tuple[str, ...]) -> None:
    """Add a person, who then needs a token.

    The addresses tell whose commits are whose, for approvals that an author may not give.
    """
    async with session.client() as client:
        added = await client.add_person(name, role, emails)
    session.out.say(f"{added.name} is {added.role}. Next: shipway people token {added.name}")


@people.command("role")
@click.argument("name")
@click.argument("role", type=ROLES)
@verb
async def set_role(session: Session, name: str, role: wire.RoleName) -> None:
    """Give a person another ROLE: viewer, developer, approver or owner."""
    async with session.client() as client:
        changed = await client.change_person(name, role=role)
    session.out.say(f"{changed.name} is {changed.role} now.")


@people.command()
@click.argument("name")
@click.argument("emails", nargs=-1)
@verb
async def email(session: Session, name: str, emails: tuple[str, ...]) -> None:
    """Say under which addresses a person's commits are authored, in place of those before."""
    async with session.client() as client:
        changed = await client.change_person(name, emails=emails)
    session.out.say(f"{changed.name} commits as {', '.join(changed.emails) or 'nobody'}.")


@people.command()
@click.argument("name")
@options.yes
@verb
async def remove(session: Session, name: str, *, yes: bool) -> None:
    """Remove a person and all of their tokens. What they did stays on record."""
    options.confirm(name, f"{name} and all tokens of theirs will be gone.", sure=yes)
    async with session.client() as client:
        said = await client.remove_person(name)
    session.out.say(said.sentence)


@options.examples('shipway people token ci --for "GitHub" --days 365 | gh secret set SHIPWAY_TOKEN')
@people.command()
@click.argument("name")
@click.option("--for", "purpose", default="command line", show_default=True, help="Its name.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True)
@click.option("--never-expires", is_flag=True)
@verb
async def token(
    session: Session, name: str, purpose: str, days: int, *, never_expires: bool
) -> None:
    """Issue a token to a person. It is printed once, alone, so that it can be piped on."""
    async with session.client() as client:
        issued = await client.issue_token(
            name, purpose, expires_days=None if never_expires else days
        )
    session.out.note(f"{issued.id} of {name}. It is shown this once:")
    session.out.say(issued.plain)


@people.command()
@click.argument("name")
@options.as_json
@verb
async def tokens(session: Session, name: str, *, as_json: bool) -> None:
    """List a person's tokens, without the tokens themselves."""
    async with session.client() as client:
        page = await client.tokens(name)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (
            one.id,
            one.name,
            f"{one.expires:%Y-%m-%d}" if one.expires else "never",
            output.ago(one.last_used) or "never",
        )
        for one in page.items
    )
    session.out.table(("token", "for", "expires", "last used"), rows, empty=f"{name} has none.")


@people.command()
@click.argument("name")
@click.argument("token")
@verb
async def revoke(session: Session, name: str, token: str) -> None:
    """End a token of a person's, by its identifier."""
    async with session.client() as client:
        said = await client.revoke_token(name, token)
    session.out.say(said.sentence)
