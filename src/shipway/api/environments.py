"""Environments: what is live there, by which policy, with which variables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import fastapi

from shipway import appfile
from shipway.access.model import Action
from shipway.api import addresses, policies, shapes, writing
from shipway.api.asking import READS, Asker, On
from shipway.api.observing import database_sentence, instances
from shipway.appfile.model import Product
from shipway.client import wire
from shipway.environments import policy
from shipway.releases.model import Deployment, Release
from shipway.workflows import names
from shipway.workflows.front import ApiPlatform

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}", tags=["environments"], route_class=writing.Route, dependencies=[READS]
)


@router.get("/environments/{environment}", name="environment.get")
async def get(app: str, environment: str, on: On) -> wire.Environment:
    """All about one environment."""
    product = await on.apps.product(app)
    live = await on.deployments.live(app, environment)
    newest = policies.in_force(product, environment)
    force = newest
    if environment in names.DEPLOYED:
        served = await _served(live, on) if live else None
        force = policies.in_force(served, environment)
    shown = _displayed(environment, force)
    coming = _displayed(environment, newest)
    # Each asks the record or the machine: together they take as long as the slowest.
    waiting, running, database, missing, variables = await asyncio.gather(
        _waiting(app, environment, on, product),
        instances(app, environment, on),
        database_sentence(app, environment, product, on),
        _missing(app, environment, on, product),
        on.variables.show(app, environment),
    )
    return wire.Environment(
        app=app,
        name=environment,
        addresses=addresses.of(product, environment, on.settings),
        live=shapes.deployment(live) if live else None,
        waiting=waiting,
        instances=running,
        policy=shown,
        next_policy={name: value for name, value in coming.items() if value != shown[name]},
        weaker=force.weaker,
        database=database,
        missing=missing,
        variables=tuple(shapes.variable(one) for one in variables),
    )


def _may_wait(product: Product | None, environment: str) -> bool:
    """Say whether releases go there at all; how many approvals they need is for the gates to say."""
    return environment in names.DEPLOYED and (
        product is None or environment in product.environments
    )


async def _served(live: Deployment, on: ApiPlatform) -> Product:
    """What the shipway.toml of the live release says: its policy is in force, not a newer one's."""
    return appfile.parse((await on.releases.get(live.release)).product)


def _displayed(environment: str, force: policy.PolicyInForce) -> dict[str, Any]:
    return {line.name: line.value for line in policy.display(environment, force)}


async def _missing(
    app: str, environment: str, on: ApiPlatform, product: Product | None
) -> tuple[str, ...]:
    return await on.variables.missing(app, environment, product) if product else ()


async def _waiting(
    app: str, environment: str, on: ApiPlatform, product: Product | None
) -> tuple[wire.Waiting, ...]:
    """Return the releases that wait for approval here: ready, newer than the live one."""
    found: list[wire.Waiting] = []
    if not _may_wait(product, environment):
        return ()
    for release in await waiting_releases(app, environment, on):
        gates = [
            gate
            for gate in await on.releases.gates(release.id)
            if gate.environment == environment and not gate.open
        ]
        sentence = " ".join(gate.sentence for gate in gates) or f"{release.version} is ready."
        found.append(wire.Waiting(release=release.id, version=release.version, sentence=sentence))
    return tuple(found)


async def waiting_releases(app: str, environment: str, on: ApiPlatform) -> Sequence[Release]:
    deployed = {d.release for d in await on.deployments.list(app, environment, limit=200)}
    live = await on.deployments.live(app, environment)
    after = (await on.releases.get(live.release)).number if live else 0
    return [
        release
        for release in await on.releases.list(app, limit=20)
        if release.state == "ready" and release.number > after and release.id not in deployed
    ]


@router.put("/environments/{environment}/variables/{name}", name="variable.set")
async def set_variable(
    app: str, environment: str, name: str, body: wire.SetVariable, asker: Asker, on: On
) -> wire.Said:
    """Set a variable; the next deployment there uses it."""
    asker.must(Action.SET_VARIABLE, environment)
    kind = await on.variables.set(app, environment, name, body.value, body.kind, asker.person)
    return wire.Said(
        sentence=f"{name} ({kind}) is set in {environment} of {app}. The next deployment uses it."
    )


@router.delete("/environments/{environment}/variables/{name}", name="variable.unset")
async def unset_variable(app: str, environment: str, name: str, asker: Asker, on: On) -> wire.Said:
    asker.must(Action.SET_VARIABLE, environment)
    await on.apps.get(app)
    await on.variables.unset(app, environment, name)
    return wire.Said(sentence=f"{name} is no longer set in {environment} of {app}.")


@router.get("/difference", name="environments.compare")
async def difference(app: str, left: str, right: str, on: On) -> wire.Page[wire.Difference]:
    """The variables that two environments do not share."""
    found = await on.variables.diff(app, left, right)
    return wire.Page(items=tuple(shapes.difference(one) for one in found))
