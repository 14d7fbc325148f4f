"""Over-the-air updates: what is out, how it does, and what people ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import fastapi

from shipway.access.model import Action
from shipway.api import paging, writing
from shipway.api.asking import READS, Asker, Heard, On
from shipway.client import updates_wire, wire
from shipway.kit import errors
from shipway.updates import model, native, patching, records
from shipway.updates.adoption import Adopted
from shipway.workflows.front import ApiPlatform

LONGEST_WAIT = 25.0
LOOK_AGAIN = 1.0
"""Seconds between looks at a change while nobody tells of it."""

OF_AN_UPDATE = {"share", "pause", "resume", "revert"}

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}", tags=["updates"], route_class=writing.Route, dependencies=[READS]
)


@router.get("/updates", name="updates.list")
async def list_updates(
    app: str, on: On, environment: str = "", limit: paging.Limit = 20, after: paging.After = ""
) -> wire.Page[updates_wire.Update]:
    """The newest first."""
    await on.apps.get(app)
    below = min(paging.number(after) or records.LAST, records.LAST)
    found = await on.updates.records.groups(app, environment, limit=limit + 1, below=below)
    shown = [_update(group) for group in found]
    return paging.page(shown, limit, [str(group.number) for group in found])


@router.get("/updates/{update}", name="update.get")
async def get(app: str, update: str, on: On) -> updates_wire.UpdateInFull:
    """An update with its manifests, how far each has come, failures and patches."""
    group = await _group(app, update, on)
    offers = await on.updates.records.offers(group.id)
    adopted = {one.id: one for one in await on.updates.adoption.of(group.id)}
    failures = await on.updates.adoption.failures(group.id)
    launches = {offer.launch for offer in offers if offer.launch}
    patches = [one for one in await on.updates.patches.all(app) if one.target in launches]
    return updates_wire.UpdateInFull(
        **_update(group).model_dump(),
        manifests=tuple(_manifest(offer, adopted.get(offer.id)) for offer in offers),
        failures=tuple(
            updates_wire.Failure(error=one.error, devices=one.devices) for one in failures
        ),
        patches=tuple(_patch(one) for one in patches),
    )


@router.post("/update-changes", name="updates.change", status_code=202)
async def change(
    app: str, body: updates_wire.ChangeUpdates, asker: Asker, on: On
) -> updates_wire.Change:
    """Have the worker do something: it alone can sign."""
    await on.apps.get(app)
    arguments = body.model_dump(exclude={"action"})
    if body.action in OF_AN_UPDATE:
        group = await _group(app, body.update, on)
        arguments |= {"environment": group.branch, "update": group.id}
    elif body.action == "channel":
        arguments["environment"] = body.name
    elif body.action not in {"publish", "roll_back"}:
        arguments["environment"] = "production"
    if not arguments["environment"]:
        raise errors.Invalid("The environment is missing.")
    return _change(await on.requests.change_updates(app, body.action, arguments, asker))


@router.get("/update-changes/{change}", name="updates.changed")
async def changed(
    app: str,
    change: str,
    on: On,
    heard: Heard,
    wait: Annotated[float, fastapi.Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> updates_wire.Change:
    """What came of a change; with ``wait`` seconds, as soon as something did."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    with heard.of(records.CHANNEL, change) as notice:
        while True:
            found = await on.updates.records.change(change)
            if found.app != app:
                raise errors.NotFound(f"{app} has no {change}.")
            left = until - loop.time()
            if left <= 0 or found.state != "waiting":
                return _change(found)
            await notice.wait(min(left, LOOK_AGAIN))


@router.get("/update-channels", name="update_channels.list")
async def list_channels(app: str, on: On) -> wire.Page[updates_wire.UpdateChannel]:
    await on.apps.get(app)
    found = await on.updates.records.channels(app)
    shown = [
        updates_wire.UpdateChannel(
            name=one.name,
            branch=one.branch,
            paused=one.paused,
            pinned=one.pinned or "",
            headers=dict(one.headers or {}),
            asset_headers=dict(one.asset_headers),
        )
        for one in found
    ]
    return wire.Page(items=tuple(shown))


@router.get("/update-keys", name="update_keys.list")
async def list_keys(app: str, on: On) -> wire.Page[updates_wire.UpdateKey]:
    """The certificates; the keys themselves are told to nobody."""
    await on.apps.get(app)
    shown = [
        updates_wire.UpdateKey(
            id=key.id,
            certificate=key.certificate,
            external=key.sealed is None,
            created=key.created,
            retired=key.retired,
        )
        for key in await on.updates.keys.all(app)
    ]
    return wire.Page(items=tuple(shown))


@router.get("/update-garbage", name="update_garbage.get")
async def garbage(app: str, on: On) -> updates_wire.UpdateGarbage:
    """What would go, of all apps: files are shared."""
    await on.apps.get(app)
    found = await on.updates.garbage.find()
    return updates_wire.UpdateGarbage(files=tuple(found.files), size=found.size, kept=found.kept)


@router.get("/store-builds", name="store_builds.list")
async def list_builds(app: str, on: On) -> wire.Page[updates_wire.StoreBuild]:
    """The native builds in users' hands, newest first."""
    await on.apps.get(app)
    found = await on.updates.records.store_builds(app)
    names = updates_wire.StoreBuild.model_fields
    return wire.Page(
        items=tuple(
            updates_wire.StoreBuild(**{name: getattr(one, name) for name in names}) for one in found
        )
    )


@router.post("/store-builds", name="store_build.register", status_code=201)
async def register(
    app: str, body: updates_wire.RegisterBuild, asker: Asker, on: On
) -> updates_wire.StoreBuild:
    """Record a native build: what may go over the air is judged by it."""
    asker.must(Action.DEPLOY, "production")
    await on.apps.get(app)
    made_of = await _made_of(app, body, on)
    found = await on.updates.records.add_store_build(
        app,
        platform=body.platform,
        version=body.version,
        runtime=body.runtime,
        fingerprint=body.fingerprint
        or (made_of.fingerprint if made_of else native.fingerprint_in(body.runtime)),
        embedded=body.embedded.lower(),
        committed=body.committed,
        launch=body.bundle or (made_of.launch if made_of else ""),
        by=asker.person,
    )
    names = updates_wire.StoreBuild.model_fields
    return updates_wire.StoreBuild(**{name: getattr(found, name) for name in names})


async def _made_of(
    app: str, body: updates_wire.RegisterBuild, on: ApiPlatform
) -> records.Offer | None:
    """Return the update of the release that a build was made of, where that is said."""
    if body.bundle and not await asyncio.to_thread(on.updates.inbox.has, body.bundle):
        raise errors.NotFound(f"Nobody has handed in a bundle {body.bundle[:12]}.")
    if not body.release:
        return None
    release = await on.releases.get(body.release, app=app)
    group = await on.updates.records.group_of_release(app, "production", release.id)
    offers: Sequence[records.Offer] = await on.updates.records.offers(group.id) if group else ()
    for offer in offers:
        if offer.platform == body.platform:
            return offer
    raise errors.NotFound(f"{release.version} has no update for {body.platform} in production.")


async def _group(app: str, update: str, on: ApiPlatform) -> records.Group:
    await on.apps.get(app)
    group = await on.updates.records.group(update)
    if group.app != app:
        raise errors.NotFound(f"{app} has no update {update}.")
    return group


def _update(group: records.Group) -> updates_wire.Update:
    names = updates_wire.Update.model_fields.keys() - {"environment"}
    return updates_wire.Update(
        environment=group.branch, **{name: getattr(group, name) for name in names}
    )


def _manifest(offer: records.Offer, adopted: Adopted | None) -> updates_wire.Manifest:
    counts = ("offered", "downloaded", "launched", "failed", "silent", "running")
    return updates_wire.Manifest(
        id=offer.id,
        platform=offer.platform,
        runtime=offer.runtime,
        kind=offer.kind,
        created=model.timestamp(offer.created),
        fingerprint=offer.fingerprint,
        size=offer.size,
        **({name: getattr(adopted, name) for name in counts} if adopted else {}),
    )


def _patch(made: patching.Made) -> updates_wire.Patch:
    return updates_wire.Patch(
        base=made.base,
        target=made.target,
        offered=made.offered,
        size=made.size,
        full_size=made.full_size,
        hits=made.hits,
        saved=made.hits * (made.full_size - made.size) if made.offered else 0,
        sentence=made.sentence,
    )


def _change(found: records.Change) -> updates_wire.Change:
    return updates_wire.Change(
        id=found.id,
        action=found.action,
        state=found.state,
        sentence=found.sentence,
        about=found.about,
        by=found.by,
        created=found.created,
    )
