"""Housekeeping: what goes by the policy of the server's settings."""

from __future__ import annotations

import click

from shipway.cli import options, output
from shipway.cli.session import Session, verb


@options.examples("shipway housekeeping --dry-run", "shipway housekeeping --last")
@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go, and how much.")
@click.option("--last", is_flag=True, help="List what went the last times.")
@options.as_json
@verb
async def housekeeping(session: Session, *, dry_run: bool, last: bool, as_json: bool) -> None:
    """Remove what nobody needs any more.

    It happens daily by itself. Artifacts, logs, caches, installs and unpacked releases go when the server's settings (keep_…)
    say so. What is live, warm, approved and waiting, or what a rollback goes back to, stays.
    """
    async with session.client() as client:
        if last:
            page = await client.housekeeping_so_far()
        else:
            page = None
            done = await client.keep_house(dry_run=dry_run)
    if as_json:
        session.out.json(page or done)
        return
    if page:
        for one in page.items:
            session.out.say(f"{output.ago(one.at)} by {one.by or 'itself'}: {one.sentence}", "bold")
            for removal in one.removals:
                session.out.say(f"  {removal}")
        return
    for removal in done.removals:
        session.out.say(removal)
    session.out.say(done.sentence, "green")
