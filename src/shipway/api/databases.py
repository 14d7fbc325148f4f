"""Databases of environments: how they do, what their backups can bring back, what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import fastapi

from shipway.access.model import Action
from shipway.api import writing
from shipway.api.asking import READS, Asker, On
from shipway.api.observing import database_sentence
from shipway.client import backups_wire, wire
from shipway.database.backups import keeping, model, moments, records
from shipway.database.backups.recoveries import Recovery
from shipway.kit import clock, errors
from shipway.workflows import backed_up, choosing
from shipway.workflows.front import ApiPlatform

LONGEST_WAIT = 25.0
LOOK_AGAIN = 0.25
SHOWN = 10

NEEDED = {"backup": Action.BACK_UP, "check": Action.BACK_UP}
"""What one must be allowed for an operation; to restore for all others."""

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}/environments/{environment}",
    tags=["databases"],
    route_class=writing.Route,
    dependencies=[READS],
)


@router.get("/database", name="database.get")
async def get(app: str, environment: str, on: On) -> backups_wire.Database:
    """How the database does, what can be restored, and what should worry somebody."""
    sentence = await database_sentence(app, environment, await on.apps.product(app), on)
    operations = await on.backups.operations(app, environment, limit=SHOWN)
    archiver = await on.backups.archiver(app, environment)
    policy, repositories = "none", list[backups_wire.Repository]()
    try:
        site = await backed_up.site_of(on, app, environment)
    except errors.Refused as refusal:
        worries = [f"There are no backups: {refusal}."]
    else:
        policy = next(n for n, one in model.SCHEDULES.items() if one == site.schedule)
        repositories = [one async for one in _repositories(site, archiver, on)]
        worries = await _worries(site, archiver, repositories, on)
    return backups_wire.Database(
        app=app,
        environment=environment,
        sentence=sentence,
        policy=policy,
        worries=tuple(worries),
        archiving=backups_wire.Archiving(**asdict(archiver)) if archiver else None,
        repositories=tuple(repositories),
        recovery=_copy(await on.backups.standing.find(app, environment)),
        operations=tuple(_operation(one) for one in operations),
    )


@router.post("/operations", name="database.operate", status_code=202)
async def operate(
    app: str, environment: str, body: backups_wire.AskOperation, asker: Asker, on: On
) -> backups_wire.Operation:
    """Have the worker do it: it alone opens the keys."""
    await _must_be_possible(app, environment, body, on)
    asker.must(NEEDED.get(body.kind, Action.RESTORE), environment)
    arguments = _arguments(body)
    asked = await on.backup_requests.ask(on, app, environment, body.kind, arguments, asker)
    return _operation(asked)


def _arguments(body: backups_wire.AskOperation) -> dict[str, Any]:
    match body.kind:
        case "backup":
            return {"type": "full" if body.full else "incr"}
        case "restore":
            return {"to": body.to, "repository": body.repository}
        case "bring_back":
            return {"tables": list(body.tables), "replace": body.replace}
        case _:
            return {}


async def _must_be_possible(
    app: str, environment: str, body: backups_wire.AskOperation, on: ApiPlatform
) -> None:
    """Raise at once what the worker would find out later, as far as it is on record."""
    site = await backed_up.site_of(on, app, environment)
    if body.kind == "restore":
        await _choice(site, body.to, body.repository, on)
        if standing := await on.backups.standing.find(app, environment):
            raise errors.Conflict(
                f"A copy of {site} ({standing.asked}) stands already.",
                fix="`shipway db promote`, `bring-back` or `discard` it first.",
            )
    if body.kind in {"promote", "bring_back"}:
        await on.backups.standing.get(app, environment)
    if body.kind == "bring_back" and not body.tables:
        raise errors.Invalid("No table is named.", fix="Name those whose rows come back.")


@router.get("/restore", name="database.preview_restore")
async def preview(
    app: str, environment: str, on: On, to: str = "", repository: int = 0
) -> backups_wire.Preview:
    """What a restore would do, and what putting it in place would lose."""
    site = await backed_up.site_of(on, app, environment)
    choice, history = await _choice(site, to, repository or None, on)
    return backups_wire.Preview(sentences=moments.preview(choice, clock.now(), history))


async def _choice(
    site: keeping.Site, to: str, repository: int | None, on: ApiPlatform
) -> tuple[moments.Choice, list[moments.Lived]]:
    """Decide as the worker does when everything that was written can be archived first."""
    history = await choosing.history(on.backups.standing, on.releases, site)
    now = clock.now()
    choice = await choosing.choose(on.backups, history, site, to, repository, archived=now)
    return choice, history


@router.get("/operations/{operation}", name="database.operation")
async def operation(
    app: str,
    environment: str,
    operation: str,
    on: On,
    wait: Annotated[float, fastapi.Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> backups_wire.Operation:
    """One of them; with ``wait`` seconds, as soon as it has ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        found = await on.backups.operation(operation)
        if (found.app, found.environment) != (app, environment):
            raise errors.NotFound(f"{app} has no operation {operation} in {environment}.")
        if found.over or loop.time() >= until:
            return _operation(found)
        await asyncio.sleep(LOOK_AGAIN)  # the worker ends it in the record, and tells no one


@router.put("/backup-bucket", name="database.set_bucket")
async def set_bucket(
    app: str, environment: str, body: backups_wire.SetBucket, asker: Asker, on: On
) -> wire.Said:
    """Say where backups go besides the folder; the next one goes there too."""
    asker.must(Action.SET_VARIABLE, environment)
    await backed_up.site_of(on, app, environment)
    place = model.Place(**body.model_dump() | {"secret": on.vault.seal(body.secret)})
    await on.backups.set_place(app, environment, place)
    return wire.Said(
        sentence=f"Backups of {app} in {environment} go to {place.shown} too. Its first full one"
        " begins within a minute: `shipway backup list` shows it."
    )


async def _repositories(
    site: keeping.Site, archiver: model.Archiver | None, on: ApiPlatform
) -> AsyncIterator[backups_wire.Repository]:
    archives = {
        one.repository: one for one in await on.backups.archives(site.app, site.environment)
    }
    backups = await on.backups.backups(site.app, site.environment)
    place = await on.backups.place(site.app, site.environment)
    where = {keeping.FOLDER: str(on.settings.backups / site.owner.slug)}
    if place:
        where[keeping.BUCKET] = place.shown
    for number, shown in where.items():
        archive = archives.get(number)
        reach = model.current(archive.reach, archiver) if archive else model.Reach()
        yield _repository(number, shown, archive, reach, backups.get(number, ()))


def _repository(
    number: int,
    where: str,
    archive: records.Archive | None,
    reach: model.Reach,
    backups: Sequence[model.Backup],
) -> backups_wire.Repository:
    return backups_wire.Repository(
        number=number,
        name=keeping.named(number),
        where=where,
        good=archive.good if archive else None,
        sentence=archive.sentence if archive else "Nothing is there yet.",
        looked=archive.looked if archive else None,
        verified=archive.verified if archive else None,
        intact=archive.intact if archive else None,
        complaints=archive.complaints if archive else (),
        exported=archive.exported if archive else None,
        reachable=tuple(
            backups_wire.Stretch(since=since, until=until)
            for since, until in model.merged(reach.spans)
        ),
        backups=tuple(
            backups_wire.Backup(**{n: getattr(b, n) for n in backups_wire.Backup.model_fields})
            for b in backups
        ),
    )


async def _worries(
    site: keeping.Site,
    archiver: model.Archiver | None,
    repositories: Sequence[backups_wire.Repository],
    on: ApiPlatform,
) -> list[str]:
    """Return what should worry somebody, each a sentence."""
    since = await on.backups.since(site.app, site.environment)
    held = await on.backups.backups(site.app, site.environment)
    taken = {one.number: held.get(one.number, []) for one in repositories}
    late = model.alarms(clock.now(), site.schedule, taken, archiver, since=since or clock.now())
    return [*(sentence for _, sentence in late), *_weak(site, repositories)]


def _weak(site: keeping.Site, repositories: Sequence[backups_wire.Repository]) -> Iterator[str]:
    for one in repositories:
        if one.good is False:
            yield one.sentence
        if one.intact is False:
            yield f"{one.name} is damaged: {' '.join(one.complaints)[:300]}"
    if any(one.backups and not one.exported for one in repositories):
        yield (
            "Nobody has taken the keys of the backups to a safe place: without this server nothing"
            " could be restored. `sudo shipway backup keys` on the server prints them."
        )
    if len(repositories) < site.schedule.places:
        yield (
            f"All backups are in one place, and the policy asks for {site.schedule.places}:"
            f" `shipway backup bucket --env {site.environment}` adds another."
        )


def _operation(one: model.Operation) -> backups_wire.Operation:
    return backups_wire.Operation.model_validate(asdict(one))


def _copy(one: Recovery | None) -> backups_wire.Copy | None:
    return backups_wire.Copy.model_validate(asdict(one)) if one else None
