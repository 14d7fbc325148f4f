"""What really runs, as the keeper observes it, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from shipway.appfile.model import Product
from shipway.client import status_wire, wire
from shipway.kit import errors
from shipway.runtime.model import Observed
from shipway.workflows.front import ApiPlatform, Instance

PARTS = ("store", "api", "worker", "intake", "edge")
"""Shipway's own services."""


async def instances(app: str, environment: str, on: ApiPlatform) -> tuple[wire.Instance, ...]:
    """Return the running copies of an app's server."""
    try:
        found = await on.instances.running(app, environment)
        return tuple(await asyncio.gather(*(_instance(one, on) for one in found)))
    except errors.Unavailable:
        return ()


async def _instance(one: Instance, on: ApiPlatform) -> wire.Instance:
    version, alive = await asyncio.gather(_version(one.release, on), on.instances.alive(one))
    return wire.Instance(id=one.id, release=version, address=str(one.address), alive=alive)


async def _version(release: str, on: ApiPlatform) -> str:
    try:
        return (await on.releases.get(release)).version
    except errors.NotFound:
        return release


async def everywhere(on: ApiPlatform) -> Mapping[tuple[str, str], Sequence[bool]]:
    """Return for each app and environment whether each copy of its server is alive."""
    found: dict[tuple[str, str], list[bool]] = {}
    for place, alive in await on.instances.everywhere():
        found.setdefault((place.app, place.environment), []).append(alive)
    return found


async def database_sentence(
    app: str, environment: str, product: Product | None, on: ApiPlatform
) -> str:
    if await on.variables.provider_database(app, environment):
        return "The database is the provider's (DB_URL is given)."
    if product is None or product.database is None:
        return "No database is asked for."
    try:
        found = await on.services.services(f"cluster.{app}.{environment}")
    except errors.Unavailable as error:
        return f"The database cannot be observed: {error}"
    if not found:
        return "The database is made by the first deployment."
    return "One node, running." if all(one.up for one in found) else "One node, which is down."


async def parts(on: ApiPlatform) -> tuple[status_wire.Part, ...]:
    """Return Shipway's own processes. The steward is known by its answer."""
    try:
        # Each by its name: with all of the apps' services there may be hundreds.
        found = await asyncio.gather(*(on.services.services(name) for name in PARTS))
    except errors.Unavailable as error:
        return (status_wire.Part(name="steward", up=False, sentence=str(error)),)
    own = [one for some in found for one in some if one.name in PARTS]
    return (
        status_wire.Part(name="steward", up=True, sentence="answers"),
        *(status_wire.Part(name=one.name, up=one.up, sentence=sentence(one)) for one in own),
        *_absent(own),
    )


def _absent(own: Sequence[Observed]) -> list[status_wire.Part]:
    names = {one.name for one in own}
    return [
        status_wire.Part(name=name, up=False, sentence="is not there")
        for name in PARTS
        if name not in names
    ]


def sentence(one: Observed) -> str:
    """Return how a service does: ``up since 2026-11-01 12:00 UTC, 2 restarts``."""
    restarts = f", {one.restarts} restarts" if one.restarts else ""
    state = "up" if one.up else "down" if one.wanted_up else "stopped"
    return f"{state} since {one.since:%Y-%m-%d %H:%M} UTC{restarts}"
