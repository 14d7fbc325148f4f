"""Housekeeping: what went, and asking for it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import fastapi

from shipway.api import writing
from shipway.api.asking import READS, Asker, On
from shipway.builds.keeping import Pass
from shipway.client import wire
from shipway.client.housekeeping_wire import Housekeeping, KeepHouse

LONGEST_WAIT = 25.0
LOOK_AGAIN = 0.5
SHOWN = 20

router = fastapi.APIRouter(
    prefix="/v1/housekeeping",
    tags=["housekeeping"],
    route_class=writing.Route,
    dependencies=[READS],
)


@router.get("", name="housekeeping.list")
async def list_passes(on: On) -> wire.Page[Housekeeping]:
    """The newest first."""
    return wire.Page(items=tuple(_told(one) for one in await on.passes.newest(SHOWN)))


@router.post("", name="housekeeping.start", status_code=202)
async def start(body: KeepHouse, asker: Asker, on: On) -> Housekeeping:
    """Have the worker do it: it alone may remove."""
    return _told(await on.requests.keep_house(asker, dry_run=body.dry_run))


@router.get("/{name}", name="housekeeping.get")
async def get(
    name: str, on: On, wait: Annotated[float, fastapi.Query(ge=0, le=LONGEST_WAIT)] = 0
) -> Housekeeping:
    """One of them; with ``wait`` seconds, as soon as it has ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        found = await on.passes.get(name)
        if found.ended or loop.time() >= until:
            return _told(found)
        await asyncio.sleep(LOOK_AGAIN)


def _told(one: Pass) -> Housekeeping:
    return Housekeeping(**{name: getattr(one, name) for name in Housekeeping.model_fields})
