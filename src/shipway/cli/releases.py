"""Releases: what is ready, saying yes to it, and taking it back."""

from __future__ import annotations

import click

from shipway.cli import apps, follow, options, output
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.kit import errors


@options.examples("shipway releases", "shipway releases show v1.4.0")
@click.group(invoke_without_command=True)
@options.app
@options.as_json
@options.limit(20)
@options.after
@click.pass_context
def releases(ctx: click.Context, /, **given: object) -> None:
    """List the newest releases, or show one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_releases, **given)


@verb
async def list_releases(
    session: Session, app: str | None, limit: int, after: str, *, as_json: bool
) -> None:
    async with session.client() as client:
        page = await client.releases(session.app(app), limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (
            one.version,
            one.state,
            one.branch,
            one.commit[:10],
            one.schema_head,
            output.ago(one.created),
        )
        for one in page.items
    )
    columns = ("version", "state", "branch", "commit", "schema", "created")
    session.out.table(columns, rows, empty="There is no release yet. Push to main makes one.")
    apps.more(session, page.next)


@releases.command()
@click.argument("release")
@options.app
@options.as_json
@verb
async def show(session: Session, release: str, app: str | None, *, as_json: bool) -> None:
    """Show RELEASE: its gates with their evidence, approvals, deployments, changelog."""
    async with session.client() as client:
        found = await client.release(session.app(app), release)
    if as_json:
        session.out.json(found)
    else:
        _show(session, found)


def _show(session: Session, found: wire.ReleaseInFull) -> None:
    say = session.out.say
    say(f"{found.version}: {found.state}, commit {found.commit[:10]}", "bold")
    for gate in found.gates:
        mark = follow.MARKS["succeeded" if gate.open else "waiting"]
        say(f"  {mark} {gate.environment}: {gate.sentence}", "" if gate.open else "yellow")
    for environment, approvals in found.approvals.items():
        for one in approvals:
            why = f": {one.reason}" if one.reason else ""
            how = " in an emergency" if one.emergency else ""
            say(f"  {one.person} approved it for {environment}{how}, {output.ago(one.at)}{why}")
    for one_deployment in found.deployments:
        say(f"  {follow.sentence(one_deployment)}", output.STYLES.get(one_deployment.state, ""))
        if one_deployment.watch:
            say(f"    watched closely: {one_deployment.watch}", "yellow")
    if found.changelog:
        say("")
        say(found.changelog)


@options.examples(
    "shipway approve",
    'shipway approve v1.4.0 --reason "tried on staging with QA"',
    'shipway approve v1.4.1 --emergency --reason "sign-in is down, nobody else is awake"',
)
@click.command()
@click.argument("release", default="")
@click.option("--environment", default="production", show_default=True)
@click.option("--emergency", is_flag=True, help="Wait for no other yes; for owners.")
@options.reason
@options.app
@verb
async def approve(
    session: Session,
    release: str,
    environment: str,
    reason: str,
    app: str | None,
    *,
    emergency: bool,
) -> None:
    """Say yes to a release entering production.

    Without RELEASE it is the one that waits. The last approval that the policy asks for starts the
    deployment. An author's own yes counts where nobody else could give one: with --reason, an hour
    after the release was made.

    With --emergency an owner's yes is enough, at once and whoever wrote the change. It needs
    --reason, is announced to all channels, and the deployment is marked and watched closely.
    Migrations, readiness and every other gate stay as they are.
    """
    async with session.client() as client:
        said = await client.approve(
            session.app(app), environment, release=release, reason=reason, emergency=emergency
        )
    session.out.say(said.sentence, "green")
    session.out.note(f"`shipway deployments {environment} -f` shows what comes of it.")


@options.examples(
    "shipway rollback production",
    'shipway rollback production --to v1.3.2 --reason "sign-in fails on iOS"',
)
@click.command()
@click.argument("environment")
@click.option("--to", default="", metavar="RELEASE", help="Go back to this one, and no other.")
@options.reason
@options.app
@verb
async def rollback(
    session: Session, environment: str, to: str, reason: str, app: str | None
) -> None:
    """Take an environment back to the release before.

    In an instant while that one is still warm, from its artifacts later. While a release is
    entering the environment, that one is withdrawn instead, and the live one serves on.
    """
    async with session.client() as client:
        begun = await client.roll_back(session.app(app), environment, to=to, reason=reason)
        ended = await follow.deployment(session, client, begun)
    if ended.withdrawn:  # as was asked for
        session.out.say(follow.sentence(ended), "green")
    else:
        follow.conclude_deployment(session, ended)


@click.command()
@click.argument("environment")
@click.option("-f", "--follow", "following", is_flag=True, help="Show the newest until it is over.")
@options.app
@options.as_json
@options.limit(20)
@options.after
@verb
async def deployments(
    session: Session,
    environment: str,
    app: str | None,
    limit: int,
    after: str,
    *,
    following: bool,
    as_json: bool,
) -> None:
    """List an environment's deployments, or follow one.

    With --follow the newest is shown until it is over.
    """
    name = session.app(app)
    async with session.client() as client:
        page = await client.deployments(name, environment, limit=limit, after=after)
        if following and not page.items:
            raise errors.NotFound(f"Nothing was ever deployed to {environment} of {name}.")
        if following:
            ended = await follow.deployment(session, client, page.items[0])
            follow.conclude_deployment(session, ended)
        elif as_json:
            session.out.json(page)
        else:
            rows = (
                (one.version, one.state, one.by, output.ago(one.started), one.sentence)
                for one in page.items
            )
            columns = ("version", "state", "by", "started", "")
            session.out.table(columns, rows, empty=f"Nothing was deployed to {environment} yet.")
            apps.more(session, page.next)
