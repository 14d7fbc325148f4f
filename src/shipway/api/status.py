"""Everything, as it is now."""

from __future__ import annotations

import asyncio
from importlib import metadata

import fastapi

from shipway.api import addresses, observing, shapes, writing
from shipway.api.asking import READS, On
from shipway.client import status_wire
from shipway.kit import clock
from shipway.releases import model as releases
from shipway.workflows.front import ApiPlatform

router = fastapi.APIRouter(prefix="/v1", tags=["status"], route_class=writing.Route)
open_router = fastapi.APIRouter(tags=["status"])


@open_router.get("/health", name="health")
async def health(on: On) -> dict[str, str]:
    """Whether the API and its database answer. Needs no token, and tells nothing else."""
    await on.database.rows("select 1")
    return {"status": "ok"}


@router.get("/status", name="status", dependencies=[READS])
async def status(on: On) -> status_wire.Status:
    """Shipway's own parts as observed, and every app in every environment."""
    parts, apps = await asyncio.gather(observing.parts(on), _apps(on))
    return status_wire.Status(version=metadata.version("shipway"), parts=parts, apps=apps)


async def _apps(on: ApiPlatform) -> tuple[status_wire.AppStatus, ...]:
    return tuple([await _app(app.name, on) for app in await on.apps.all()])


async def _app(name: str, on: ApiPlatform) -> status_wire.AppStatus:
    product = await on.apps.product(name)
    runs = await on.runs.list(name, limit=1)
    environments = [
        await _environment(name, environment, addresses.of(product, environment, on.settings), on)
        for environment in (product.environments if product else ())
    ]
    return status_wire.AppStatus(
        name=name,
        last_run=shapes.run(runs[0]) if runs else None,
        environments=tuple(environments),
    )


async def _environment(
    app: str, environment: str, where: tuple[str, ...], on: ApiPlatform
) -> status_wire.EnvironmentStatus:
    recent = await on.deployments.list(app, environment, limit=1)
    live = await on.deployments.live(app, environment)
    running = await observing.instances(app, environment, on)
    sentence = recent[0].sentence if recent else "Nothing was deployed here yet."
    return status_wire.EnvironmentStatus(
        name=environment,
        version=live.version if live else "",
        sentence=sentence or f"{recent[0]}: {recent[0].state}.",
        watch=releases.watch_sentence(live, clock.now()),
        instances=len(running),
        alive=sum(one.alive for one in running),
        addresses=where,
    )
