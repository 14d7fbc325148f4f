"""Runs: what became of each push, its logs, and ending one."""

from __future__ import annotations

import click

from shipway.cli import apps, follow, options, output
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.client.client import Client
from shipway.kit import errors


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


@options.examples("shipway logs -f", 'shipway logs run_01jd3k9f7m2q8x4t "test api"')
@click.command()
@click.argument("run", default="")
@click.argument("step", default="")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as lines come.")
@options.app
@verb
async def logs(session: Session, run: str, step: str, app: str | None, *, following: bool) -> None:
    """Print the log of a run or of one step.

    Without RUN it is the newest run of the app; without STEP it is every step.
    """
    async with session.client() as client:
        run = run or await _newest(session, client, app)
        if step:
            await follow.lines(session, client.step_log(run, step, follow=following))
        elif following:
            await _follow(session, client, run)
        else:
            await _print_all(session, client, run)


@click.command()
@click.argument("run")
@verb
async def cancel(session: Session, run: str) -> None:
    """End a run. What is live stays live."""
    async with session.client() as client:
        ended = await client.cancel(run)
    session.out.say(ended.sentence or f"{ended.id} is {ended.state}.")


async def _newest(session: Session, client: Client, app: str | None) -> str:
    name = session.app(app)
    page = await client.runs(name, limit=1)
    if not page.items:
        raise errors.NotFound(f"{name} has no run yet.", fix="`shipway deploy` starts one.")
    return page.items[0].id


async def _print_all(session: Session, client: Client, run: str) -> None:
    found = await client.run(run)
    for step in found.steps:
        session.out.say(follow.step_line(step), "bold")
        if step.started:
            await follow.lines(session, client.step_log(run, step.name))
    session.out.say(found.sentence)


async def _follow(session: Session, client: Client, run: str) -> None:
    picture = follow.Picture()
    with follow.detachable(session, f"{run} goes on. `shipway logs -f {run}` comes back to it."):
        async for event in client.follow(run):
            if line := _line(picture, event):
                session.out.say(line, "bold" if event.step else "")
    if picture.run:
        follow.conclude_run(session, picture.run)


def _line(picture: follow.Picture, event: wire.Event) -> str:
    if event.kind == "log":
        return f"{event.name} | {event.line}"
    return picture.heard(event)
