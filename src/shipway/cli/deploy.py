"""Pushing a checkout to Shipway, with what comes of it."""

from __future__ import annotations

import click

from shipway.cli import follow, git, options
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.client.client import Client


@options.examples(
    "shipway deploy",
    "shipway deploy --branch main",
    'shipway deploy --release v12 --environment production --reason "new STRIPE_KEY"',
)
@click.command()
@options.app
@click.option("--branch", metavar="NAME", help="Push to this branch; else the one checked out.")
@click.option("--release", default="", metavar="RELEASE", help="Deploy this one again instead.")
@click.option("--environment", default="production", show_default=True, help="With --release.")
@options.reason
@verb
async def deploy(
    session: Session,
    app: str | None,
    branch: str | None,
    release: str,
    environment: str,
    reason: str,
) -> None:
    """Push HEAD to Shipway and show the run until it is over.

    `main` runs the full suite and is delivered to staging; `hotfix/…` does too, merged with main and
    past staging; any other branch runs the fast tests and builds.
    It is the same as `git push shipway HEAD`. Ctrl-C only stops showing it.

    With --release nothing is pushed or built: that release enters the environment (again), such
    as after a variable was set or a failed deployment was seen to.
    """
    if release:
        await _again(session, app, release, environment, reason)
    else:
        await _from_checkout(session, app, branch)


async def _again(
    session: Session, app: str | None, release: str, environment: str, reason: str
) -> None:
    async with session.client() as client:
        begun = await client.deploy(session.app(app), environment, release, reason=reason)
        ended = await follow.deployment(session, client, begun)
    follow.conclude_deployment(session, ended)


async def _from_checkout(session: Session, app: str | None, branch: str | None) -> None:
    repository = await git.Repository.around(session.folder)
    commit = await repository.head()
    branch = branch or await repository.branch()
    async with session.client() as client:
        found = await client.app(session.app(app))
        await repository.point_at(found.git_url, session.server)
        if await repository.dirty():
            session.out.note("Changes that are not committed stay behind.")
        session.out.note(f"Pushing {commit[:10]} to {branch} of {found.name}")
        said = await _push(session, repository, branch)
        run = await _run_of(client, found.name, branch, commit)
        if run is None:
            session.out.note(f"{branch} was there already, and no run of it is known.")
            return
        if not run.over:
            run = await follow.run(session, client, run.id)
        if run.state != "succeeded" or run.sentence not in said:
            follow.conclude_run(session, run)


async def _push(session: Session, repository: git.Repository, branch: str) -> set[str]:
    """Push, showing what the server says, and return the lines of it."""
    said: set[str] = set()

    def heard(line: str) -> None:
        said.add(line)
        session.out.say(line)

    with follow.detachable(session, "If the push had arrived, its run goes on: shipway runs"):
        await repository.push(branch, session.server, heard)
    return said


async def _run_of(client: Client, app: str, branch: str, commit: str) -> wire.Run | None:
    page = await client.runs(app, limit=50)
    runs = (run for run in page.items if (run.branch, run.commit) == (branch, commit))
    return next(runs, None)
