"""Releases, approvals and deployments."""

from __future__ import annotations

import asyncio
from typing import Annotated

import fastapi

from shipway.api import environments, paging, shapes, writing
from shipway.api.asking import READS, Asker, Heard, On
from shipway.client import wire
from shipway.environments import policy
from shipway.kit import errors
from shipway.releases.model import Deployment
from shipway.workflows.front import ApiPlatform

CHANNEL = "shipway_deployment"
"""The PostgreSQL channel with the ids of deployments that have changed."""

LONGEST_WAIT = 25.0
LOOK_AGAIN = 5.0
"""Seconds between looks at a deployment of which nobody tells."""

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}", tags=["releases"], route_class=writing.Route, dependencies=[READS]
)


@router.get("/releases", name="releases.list")
async def list_releases(
    app: str, on: On, limit: paging.Limit = 20, after: paging.After = ""
) -> wire.Page[wire.Release]:
    """The newest first."""
    await on.apps.get(app)
    below = paging.number(after) or 2**31 - 1
    found = await on.releases.list(app, limit=limit + 1, below=min(below, 2**31 - 1))
    shown = [shapes.release(release) for release in found]
    return paging.page(shown, limit, [str(release.number) for release in found])


@router.get("/releases/{release}", name="release.get")
async def get(app: str, release: str, on: On) -> wire.ReleaseInFull:
    """A release by version or identifier, with gates, approvals and deployments."""
    found = await on.releases.get(release, app=app)
    _must_be_of(app, found.app, release)
    approvals = await on.approvals.of_release(found.id)
    deployments = await on.deployments.list(app, release=found.id)
    return wire.ReleaseInFull(
        **shapes.release(found).model_dump(),
        changelog=found.changelog,
        gates=tuple(shapes.gate(gate) for gate in await on.releases.gates(found.id)),
        approvals={
            environment: tuple(shapes.approval(one) for one in given)
            for environment, given in approvals.items()
        },
        deployments=tuple(shapes.deployment(one) for one in deployments),
    )


@router.post("/environments/{environment}/approvals", name="release.approve")
async def approve(
    app: str, environment: str, body: wire.Approve, asker: Asker, on: On
) -> wire.Said:
    """Say yes to a release in an environment."""
    policy.check_environment(environment)
    release = body.release or await _only_waiting(app, environment, on)
    found = await on.releases.get(release, app=app)
    _must_be_of(app, found.app, release)
    said = await on.requests.approve(
        found.id, environment, asker, body.reason, emergency=body.emergency
    )
    return wire.Said(sentence=said)


async def _only_waiting(app: str, environment: str, on: ApiPlatform) -> str:
    await on.apps.get(app)
    waiting = await environments.waiting_releases(app, environment, on)
    if not waiting:
        raise errors.NotFound(
            f"No release of {app} waits for approval in {environment}.",
            fix="`shipway releases` lists them.",
        )
    if len(waiting) > 1:
        versions = ", ".join(release.version for release in waiting)
        raise errors.Refused(
            f"More than one release waits in {environment}: {versions}", fix="Name one of them."
        )
    return waiting[0].id


@router.get("/environments/{environment}/deployments", name="deployments.list")
async def list_deployments(
    app: str, environment: str, on: On, limit: paging.Limit = 20, after: paging.After = ""
) -> wire.Page[wire.Deployment]:
    """The newest first."""
    await on.apps.get(app)
    policy.check_environment(environment)
    found = await on.deployments.list(app, environment, limit=limit + 1, below=after or "~")
    shown = [shapes.deployment(one) for one in found]
    return paging.page(shown, limit, [one.id for one in shown])


@router.get("/environments/{environment}/deployments/{deployment}", name="deployment.get")
async def get_deployment(
    app: str,
    environment: str,
    deployment: str,
    on: On,
    heard: Heard,
    wait: Annotated[float, fastapi.Query(ge=0, le=LONGEST_WAIT)] = 0,
    seen: Annotated[str, fastapi.Query(max_length=10_000)] = "",
) -> wire.Deployment:
    """A deployment; with ``wait`` seconds, as soon as it is no more as ``seen``."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    with heard.of(CHANNEL, deployment) as notice:
        while True:
            found = await on.deployments.get(deployment)
            _must_be_of(f"{app}/{environment}", f"{found.app}/{found.environment}", deployment)
            left = until - loop.time()
            if left <= 0 or seen != state_of(found):
                return shapes.deployment(found)
            await notice.wait(min(left, LOOK_AGAIN))


def state_of(found: Deployment) -> str:
    """Return what a client has seen of a deployment, to be told when it is something else."""
    return f"{found.state}: {found.sentence}"


@router.post("/environments/{environment}/deployments", name="release.deploy", status_code=202)
async def deploy(
    app: str, environment: str, body: wire.Deploy, asker: Asker, on: On
) -> wire.Deployment:
    """Deploy a release again, for example after a variable was set."""
    await on.apps.get(app)
    policy.check_environment(environment)
    asked = await on.requests.deploy(app, environment, body.release, asker, body.reason)
    return shapes.deployment(asked)


@router.post("/environments/{environment}/rollback", name="release.roll_back", status_code=202)
async def roll_back(
    app: str, environment: str, body: wire.RollBack, asker: Asker, on: On
) -> wire.Deployment:
    """Take back the live release."""
    await on.apps.get(app)
    policy.check_environment(environment)
    asked = await on.requests.roll_back(app, environment, body.to, asker, body.reason)
    return shapes.deployment(asked)


def _must_be_of(expected: str, found: str, name: str) -> None:
    if found != expected:
        raise errors.NotFound(f"{expected} has no {name}.")
