"""Everything, as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import metadata

import fastapi

from shipway.api import addresses, observing, shapes, writing
from shipway.api.asking import READS, On
from shipway.client import status_wire
from shipway.kit import clock
from shipway.releases import model as releases
from shipway.releases.model import Deployment
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
    """Tell of every app. What is asked of the record and of the keeper is asked once for all."""
    products = await on.apps.products()
    places = [
        (app, environment)
        for app, product in products.items()
        for environment in (product.environments if product else ())
    ]
    runs, deployments, instances = await asyncio.gather(
        on.runs.last(list(products)),
        on.deployments.newest(places),
        observing.everywhere(on),
    )
    return tuple(
        status_wire.AppStatus(
            name=app,
            last_run=shapes.run(runs[app]) if app in runs else None,
            environments=tuple(
                _environment(
                    environment,
                    [
                        one
                        for one in deployments
                        if (one.app, one.environment) == (app, environment)
                    ],
                    instances.get((app, environment), ()),
                    addresses.of(product, environment, on.settings),
                )
                for environment in (product.environments if product else ())
            ),
        )
        for app, product in products.items()
    )


def _environment(
    name: str, newest: Sequence[Deployment], alive: Sequence[bool], where: tuple[str, ...]
) -> status_wire.EnvironmentStatus:
    live = next((one for one in newest if one.state == "live"), None)
    sentence = newest[0].sentence if newest else "Nothing was deployed here yet."
    return status_wire.EnvironmentStatus(
        name=name,
        version=live.version if live else "",
        sentence=sentence or f"{newest[0]}: {newest[0].state}.",
        watch=releases.watch_sentence(live, clock.now()),
        instances=len(alive),
        alive=sum(alive),
        addresses=where,
    )
