"""The way from the command line into the console."""

from __future__ import annotations

import click
import pydantic

from shipway.cli import options
from shipway.cli.session import Session, verb


class Way(pydantic.BaseModel):
    """Where the console is, and a link into it."""

    address: str
    link: str


@options.examples("shipway console", "shipway console --for ada")
@click.command()
@click.option("--for", "person", default="", metavar="NAME", help="Somebody else; owners only.")
@options.as_json
@verb
async def console(session: Session, person: str, *, as_json: bool) -> None:
    """Print a link that signs you in to the console.

    It works once, within fifteen minutes. In the console you can set a password.
    """
    async with session.client() as client:
        made = await client.make_link(person or (await client.me()).person)
    url = session.server.url
    if as_json:
        session.out.json(Way(address=f"{url}/console/", link=f"{url}{made.path}"))
    else:
        session.out.say(f"{url}{made.path}")
