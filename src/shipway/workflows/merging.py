"""A hotfix and main: merged before it is tested, for what was tested is what goes to production; main
itself moves on to that merge when it is approved."""

from __future__ import annotations

from shipway.builds.model import MAIN, Run
from shipway.kit import errors
from shipway.releases.model import Release
from shipway.workflows import names
from shipway.workflows.platform import Platform

GATE = "merged"


async def merge(on: Platform, run: Run) -> str:
    """Merge a hotfix with what main is now, and return the commit. Main does not move.

    Raises `errors.Refused` when both have changed the same, or there is nothing to merge.
    """
    main = (await on.sources.refs(run.app)).get(MAIN)
    if main is None:
        raise errors.Refused(f"There is no {MAIN} yet to merge {run.branch} into.")
    if await on.sources.contains(run.app, run.commit, main):
        raise errors.Refused(
            f"{MAIN} has all of {run.branch} already.",
            fix=f"What {MAIN} has goes to production by way of staging.",
        )
    try:
        return await on.sources.merge(
            run.app,
            main,
            run.commit,
            author=await _author(on, run),
            at=run.created,
            message=f"Merge {run.branch} into {MAIN}\n\nShipway-Run: {run.id}",
            keep=run.id,
        )
    except errors.Refused as error:
        raise errors.Refused(
            f"{run.branch} cannot be merged into {MAIN}, which stays as it is. {error}.",
            fix=f"Merge {MAIN} into {run.branch} and push it again.",
        ) from error


async def _author(on: Platform, run: Run) -> tuple[str, str]:
    """Return who pushed the hotfix, as git has it: a name and an address."""
    people = {person.name: person for person in await on.people.list()}
    person = people.get(run.pushed_by)
    email = person.emails[0] if person and person.emails else "shipway@localhost"
    return run.pushed_by or "Shipway", email


async def announce(on: Platform, release: Release, since: str | None) -> None:
    """Record what comes to production with a hotfix, for whoever approves it."""
    main = await on.sources.parent(release.app, release.commit)
    others = await on.sources.commits_between(release.app, since, main)
    besides = f" {len(others)} commit(s) of {MAIN} that production lacks come along."
    await on.releases.judge(
        release.id,
        names.PRODUCTION,
        GATE,
        open=False,
        sentence=f"{release.branch} is merged into {MAIN} when it is approved."
        + (besides if others else ""),
        evidence={"commits": [one.sha for one in others]},
    )


async def bring_home(on: Platform, release: Release) -> bool:
    """Move main on to an approved hotfix. False when main has moved since that was tested."""
    since = await on.sources.parent(release.app, release.commit)
    if not await on.sources.advance(release.app, MAIN, release.commit, since=since):
        return False
    await on.apps.accept(release.app, release.commit, release.product)
    await on.releases.judge(
        release.id,
        names.PRODUCTION,
        GATE,
        open=True,
        sentence=f"{MAIN} has {release.branch} since {release.commit[:12]}.",
    )
    await on.sources.forget(release.app, release.run)
    return True
