"""Schemas: what has changed them, what a release would do to them, and the way back."""

from __future__ import annotations

import asyncio
import datetime
from typing import Annotated

import fastapi

from shipway.api import paging, writing
from shipway.api.asking import READS, Asker, On
from shipway.client import schema_wire, wire
from shipway.database import rehearsal
from shipway.database.measuring import Measured
from shipway.database.records import Past
from shipway.environments import policy
from shipway.kit import errors

LONGEST_WAIT = 25.0
LOOK_AGAIN = 0.5

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}/environments/{environment}/schema",
    tags=["schemas"],
    route_class=writing.Route,
    dependencies=[READS],
)


@router.get("/migrations", name="migrations.list")
async def list_migrations(
    app: str, environment: str, on: On, limit: paging.Limit = 20, after: paging.After = ""
) -> wire.Page[schema_wire.Migration]:
    """The newest first."""
    await on.apps.get(app)
    policy.check_environment(environment)
    found = await on.schema.list(app, environment, limit=limit + 1, below=_moment(after))
    shown = [_migration(one, await _version(one.release, on)) for one in found]
    return paging.page(shown, limit, [one.started.isoformat() for one in found])


@router.get("/plan", name="plan.get")
async def plan(
    app: str,
    environment: str,
    on: On,
    release: Annotated[str, fastapi.Query(max_length=100)] = "",
) -> schema_wire.Plan:
    """What the newest rehearsal of a release has shown, of the newest one unless it is named."""
    await on.apps.get(app)
    policy.check_environment(environment)
    wanted = await on.schema_requests.release(app, release)
    found = await on.rehearsed.newest(app, environment, release=wanted.id)
    if not found:
        raise errors.NotFound(
            f"{wanted.version} was not rehearsed for {environment}.",
            fix=f"`shipway db plan {wanted.version} --environment {environment} --again` does it.",
        )
    return told(found[0])


@router.post("/rehearsals", name="rehearsal.start", status_code=202)
async def rehearse(
    app: str, environment: str, body: schema_wire.Rehearse, asker: Asker, on: On
) -> schema_wire.Plan:
    """Rehearse a release on a copy of the environment's database."""
    await on.apps.get(app)
    policy.check_environment(environment)
    return told(await on.schema_requests.rehearse(app, environment, body.release, asker))


@router.get("/rehearsals/{name}", name="rehearsal.get")
async def get(
    app: str,
    environment: str,
    name: str,
    on: On,
    wait: Annotated[float, fastapi.Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> schema_wire.Plan:
    """A rehearsal; with ``wait`` seconds, as soon as it is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        found = await on.rehearsed.get(name)
        if (found.app, found.environment) != (app, environment):
            raise errors.NotFound(f"{environment} of {app} has no rehearsal {name}.")
        if found.state != "running" or loop.time() >= until:
            return told(found)
        await asyncio.sleep(LOOK_AGAIN)  # the worker ends it in the record, and tells no one


@router.post("/rollback", name="schema.roll_back", status_code=202)
async def take_back(
    app: str, environment: str, body: schema_wire.TakeBack, asker: Asker, on: On
) -> schema_wire.Plan:
    """Take the last migration back, where a copy proves that nothing is lost by that."""
    await on.apps.get(app)
    policy.check_environment(environment)
    return told(await on.schema_requests.take_back(app, environment, asker, body.reason))


async def _version(release: str, on: On) -> str:
    try:
        return (await on.releases.get(release)).version
    except errors.NotFound:
        return release


def _moment(after: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(after) if after else None
    except ValueError as error:
        raise errors.Invalid(f"{after!r} is not a cursor of this list.") from error


def _migration(one: Past, version: str) -> schema_wire.Migration:
    statements = [
        schema_wire.Statement(sql=s.sql, seconds=s.seconds, locked_seconds=s.locked_seconds)
        for s in one.statements
    ]
    return schema_wire.Migration.model_validate(
        {**vars(one), "release": version, "statements": statements}
    )


def told(one: rehearsal.Rehearsal) -> schema_wire.Plan:
    seen = one.seen or rehearsal.Seen(copy="", load="")
    return schema_wire.Plan(
        id=one.id,
        app=one.app,
        environment=one.environment,
        release=one.release,
        version=one.version,
        direction=one.direction,
        state=one.state,
        sentence=one.sentence,
        reasons=one.reasons,
        remarks=one.remarks,
        pending=one.pending,
        before=seen.before,
        after=seen.after,
        copied=seen.copy,
        load=seen.load,
        statements=tuple(_planned(measured, seen) for measured in seen.measured),
        wal_bytes=seen.wal_bytes,
        disk_bytes=seen.disk_bytes,
        reversible=seen.reversal.proven,
        reversal=seen.reversal.sentence if one.seen else "",
        budget_seconds=one.budget_seconds,
        seconds=seen.seconds,
        by=one.by,
        at=one.at,
    )


def _planned(one: Measured, seen: rehearsal.Seen) -> schema_wire.Planned:
    lock = one.strongest
    return schema_wire.Planned(
        sql=one.statement,
        seconds=one.seconds,
        lock=lock.name if lock else "",
        table=lock.table if lock else "",
        lock_seconds=lock.seconds if lock else 0.0,
        waited=len(one.waits),
        longest_wait=one.longest_wait,
        rewritten=one.rewritten,
        wal_bytes=one.wal_bytes,
        findings=tuple(f.sentence for f in seen.findings if f.statement == one.statement),
    )
