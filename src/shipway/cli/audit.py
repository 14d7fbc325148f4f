"""The trail of who did what."""

from __future__ import annotations

import click

from shipway.cli import apps, options, output
from shipway.cli.session import Session, verb


@click.command()
@options.as_json
@options.limit(50)
@options.after
@verb
async def audit(session: Session, limit: int, after: str, *, as_json: bool) -> None:
    """Show who did what, the newest first. Nothing in it can be changed."""
    async with session.client() as client:
        page = await client.audit(limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = ((output.ago(one.at), one.who, one.what, one.target) for one in page.items)
    session.out.table(("when", "who", "what", "of"), rows, empty="Nobody did anything yet.")
    apps.more(session, page.next)
