"""Runs: what became of each push, and ending one."""

from __future__ import annotations

import click

from shipway.cli import apps, follow, options, output
from shipway.cli.session import Session, verb


@options.examples("shipway runs", "shipway runs show run_01jd3k9f7m2q8x4t")
@click.group(invoke_without_command=True)
@options.app
@options.as_json
@options.limit(20)
@options.after
@click.pass_context
def runs(ctx: click.Context, /, **given: object) -> None:
    """List the newest runs of an app, or show one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_runs, **given)


@verb
async def list_runs(
    session: Session, app: str | None, limit: int, after: str, *, as_json: bool
) -> None:
    async with session.client() as client:
        page = await client.runs(session.app(app), limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (run.id, run.state, run.branch, run.commit[:10], run.pushed_by, output.ago(run.started))
        for run in page.items
    )
    columns = ("run", "state", "branch", "commit", "by", "started")
    session.out.table(columns, rows, empty="There is no run yet. `shipway deploy` starts one.")
    apps.more(session, page.next)


@runs.command()
@click.argument("run")
@options.as_json
@verb
async def show(session: Session, run: str, *, as_json: bool) -> None:
    """Show one run and its steps."""
    async with session.client() as client:
        found = await client.run(run)
    if as_json:
        session.out.json(found)
        return
    session.out.say(f"{found.id}: {found.state}, {found.branch} at {found.commit[:10]}", "bold")
    for step in found.steps:
        session.out.say(f"  {follow.step_line(step)}", output.STYLES.get(step.state, ""))
    session.out.say(found.sentence)


@click.command()
@click.argument("run")
@verb
async def cancel(session: Session, run: str) -> None:
    """End a run. What is live stays live.

    The step that it is in ends at once, and a deployment to staging is withdrawn. A release of the
    run that waits for approval waits no more.
    """
    async with session.client() as client:
        ended = await client.cancel(run)
    session.out.say(ended.sentence or f"{ended.id} is {ended.state}.")


@click.command()
@click.argument("run")
@verb
async def retry(session: Session, run: str) -> None:
    """Run the commit of a run again."""
    async with session.client() as client:
        again = await client.retry(run)
    session.out.say(f"{again.id} runs {again.branch} at {again.commit[:10]} again.")
