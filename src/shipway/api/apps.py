"""Apps."""

from __future__ import annotations

import asyncio
import shutil

import fastapi

from shipway.access.model import Action
from shipway.api import paging, writing
from shipway.api.asking import READS, Asker, On
from shipway.client import wire
from shipway.environments.model import App
from shipway.kit import errors
from shipway.workflows.front import ApiPlatform

router = fastapi.APIRouter(
    prefix="/v1/apps", tags=["apps"], route_class=writing.Route, dependencies=[READS]
)


@router.get("", name="apps.list")
async def list_apps(
    request: fastapi.Request, on: On, limit: paging.Limit = 50, after: paging.After = ""
) -> wire.Page[wire.App]:
    """By name."""
    found = [app for app in await on.apps.all() if app.name > after][: limit + 1]
    apps = [await _shape(app, request, on) for app in found]
    return paging.page(apps, limit, [app.name for app in apps])


@router.post("", name="app.create", status_code=201)
async def create(body: wire.CreateApp, request: fastapi.Request, asker: Asker, on: On) -> wire.App:
    """Create an app and its git repository."""
    asker.must(Action.CREATE_APP)
    app = await on.apps.create(body.name, asker.person)
    try:
        await on.sources.create(body.name)
        # What an app of this name had before is gone: its commits are new when they are pushed.
        await on.requests.pushes_arrived(body.name, asker.person)
    except BaseException:
        await on.apps.remove(body.name)
        raise
    return await _shape(app, request, on)


@router.get("/{app}", name="app.get")
async def get(app: str, request: fastapi.Request, on: On) -> wire.App:
    return await _shape(await on.apps.get(app), request, on)


@router.delete("/{app}", name="app.remove")
async def remove(app: str, asker: Asker, on: On) -> wire.Said:
    """Remove an app that was never deployed, with its repository and variables."""
    asker.must(Action.REMOVE_APP)
    await on.apps.get(app)
    if found := await on.deployments.list(app, limit=1):
        raise errors.Refused(
            f"{app} has been deployed ({found[0]}); its instances and data would be left behind."
        )
    await on.updates.records.remove(app)
    await on.apps.remove(app)
    await on.requests.end_runs(app, f"{asker.person} removed {app}.")
    await asyncio.to_thread(shutil.rmtree, on.sources.path(app), ignore_errors=True)
    return wire.Said(sentence=f"{app} is removed, with its repository and variables.")


async def _shape(app: App, request: fastapi.Request, on: ApiPlatform) -> wire.App:
    product = await on.apps.product(app.name)
    return wire.App(
        name=app.name,
        created=app.created,
        created_by=app.created_by,
        git_url=f"{str(request.base_url).rstrip('/')}/git/{app.name}.git",
        accepted=app.commit,
        environments=tuple(product.environments) if product else (),
    )
