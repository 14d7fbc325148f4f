"""A release's migration is rehearsed on a copy of the live database before it may run there."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from shipway import appfile
from shipway.database import history, rehearsal
from shipway.database.model import Access, Migration
from shipway.database.rehearsal import Budget, Rehearsal
from shipway.kit import clock, disk, durable, errors, ids
from shipway.releases.model import Deployment, Release
from shipway.workflows import entering, hiding, migrating
from shipway.workflows.entering import Entry
from shipway.workflows.platform import Platform

GATE = "migration rehearsed"
FRESH = datetime.timedelta(days=1)
"""So long a rehearsal holds: by then the live database may be another."""

Tell = Callable[[str], object]


async def gate(on: Platform, entry: Entry, tell: Tell) -> Rehearsal | None:
    """Rehearse a release where the policy asks for it, judge its gate, and return the rehearsal.

    One that was rehearsed already is not again, while the live schema is as it was. None where
    nothing is asked.
    """
    if entry.product.database is None or not entry.site.policy.rehearse:
        return None
    known = await _known(on, entry)
    done = known or await rehearse(on, entry, new(entry), tell)
    await on.releases.judge(
        entry.release.id,
        entry.environment,
        GATE,
        open=done.lets_in,
        sentence=done.sentence,
        evidence={"rehearsal": done.id, "reasons": list(done.reasons)},
    )
    return done


async def is_asked_for(on: Platform, entry: Entry) -> bool:
    """Whether the policy asks for a rehearsal, and there is something to rehearse."""
    asks = entry.product.database is not None and entry.site.policy.rehearse
    return asks and not await nothing_to_do(on, entry)


def must_let_in(done: Rehearsal | None) -> None:
    """Raise `errors.Refused` with every reason for which a migration must not run."""
    if done and not done.lets_in:
        raise errors.Refused(
            *(done.reasons or (done.sentence,)),
            fix="Write the migration in the safer way and push again.",
        )


def new(entry: Entry, *, by: str = "", name: str = "") -> Rehearsal:
    return Rehearsal(
        id=name or ids.new("rhs"),
        app=entry.app,
        environment=entry.environment,
        release=entry.release.id,
        version=entry.release.version,
        by=by,
        at=clock.now(),
    )


async def rehearse(on: Platform, entry: Entry, asked: Rehearsal, tell: Tell) -> Rehearsal:
    """Rehearse whatever was recorded before, and record it. The live database is only read.

    What keeps it from being rehearsed is its end too; raises `errors.Unavailable` alone.
    """
    await on.rehearsed.keep(asked)
    try:
        done = await _rehearsed(on, entry, asked, tell)
    except (errors.Unavailable, durable.Interrupted):
        raise
    except errors.ShipwayError as error:
        errors.reword(error, await hiding.mask_of(on, entry.app))
        sentence = f"The migration of {asked} was not rehearsed: {error}"
        done = dataclasses.replace(asked, state="failed", sentence=sentence, reasons=(sentence,))
    await on.rehearsed.keep(done)
    tell(done.sentence)
    for remark in done.remarks:
        tell(f"To know: {remark}")
    return done


async def _rehearsed(on: Platform, entry: Entry, asked: Rehearsal, tell: Tell) -> Rehearsal:
    tool = entry.product.database
    assert tool
    if skipped := await nothing_to_do(on, entry):
        return dataclasses.replace(asked, state="skipped", sentence=skipped)
    files = await migrating.files(on, entry, tool)
    applied = await on.schema.applied(entry.app, entry.environment)
    asked = dataclasses.replace(asked, pending=tuple(sorted(files.keys() - applied.keys())))
    if edited := history.refusal(files, applied, entry.environment):
        return dataclasses.replace(asked, state="blocked", sentence=edited, reasons=(edited,))
    live = await on.clusters.access(entry.app, entry.environment)

    async def prepare(copy: Access) -> Migration:
        return await migrating.on_copy(on, entry, tool, live, copy)

    async with hiding.secrets_hidden(on, entry.app):
        seen = await on.rehearsals.rehearse(
            entry.app, entry.environment, prepare, down=tool.rollback, on_line=tell
        )
    return rehearsal.judged(asked, seen, budget(on, entry))


def budget(on: Platform, entry: Entry) -> Budget:
    """Return what the policy lets a migration cost."""
    return Budget(
        seconds=entry.site.policy.migration_lock_ms / 1000,
        disk_bytes=disk.space(on.settings.home).free,
    )


async def _known(on: Platform, entry: Entry) -> Rehearsal | None:
    """Return the release's last rehearsal, if it still says what would happen now."""
    found = await on.rehearsed.newest(entry.app, entry.environment, release=entry.release.id)
    if not found or found[0].seen is None or clock.now() - found[0].at > FRESH:
        return None
    here = await on.schema.head(entry.app, entry.environment)
    as_it_was = here is None or found[0].seen.before == here
    same_budget = found[0].budget_seconds == budget(on, entry).seconds
    return found[0] if as_it_was and same_budget and found[0].lets_in else None


async def nothing_to_do(on: Platform, entry: Entry) -> str:
    """Say why nothing needs a rehearsal; "" when something does, or nobody can tell."""
    live = await on.deployments.live(entry.app, entry.environment)
    if live is None:
        return f"Nothing is live in {entry.environment} yet: its schema keeps nobody waiting."
    if await _brings_some(on, entry, await on.releases.get(live.release)):
        return ""
    return f"{entry.release.version} has no migration that did not run in {entry.environment}."


async def _brings_some(on: Platform, entry: Entry, live: Release) -> bool:
    """Whether there are files of migrations that have not run as they are; where none is known by
    its name, whether anything differs."""
    assert entry.product.database
    files = await migrating.files(on, entry, entry.product.database)
    if not files:
        return live.artifacts.get(entering.MIGRATIONS) != entry.migrations
    applied = await on.schema.applied(entry.app, entry.environment)
    ran = {path: one.digest for path, one in applied.items()}
    return any(ran.get(path) != digest for path, digest in files.items())


def planned(release: Release, environment: str, *, name: str = "") -> Entry:
    """Return what a release would enter an environment with, before anybody asks for it."""
    product = appfile.parse(release.product, where=f"shipway.toml of {release.version}")
    deployment = Deployment(
        id=name or f"plan_{release.id}",
        app=release.app,
        environment=environment,
        release=release.id,
        version=release.version,
        kind="deploy",
        state="waiting",
        asked_by="",
        reason="",
        served_by="",
        before=None,
        plan=(),
        stage=0,
        started=release.created,
        ended=None,
        warm_until=None,
        sentence="",
    )
    site = entering.site_of(product, release.app, environment)
    return Entry(deployment=deployment, release=release, product=product, site=site)
