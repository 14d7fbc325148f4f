"""What the close watch of a deployment is: the release before at hand for longer, no patience with
crashes, and word of the first one."""

from __future__ import annotations

import datetime

from shipway.kit import clock
from shipway.kit.settings import Settings
from shipway.releases.model import Deployment
from shipway.runtime.instances import CRASHES_THAT_TELL
from shipway.workflows import telling
from shipway.workflows.platform import Platform

LONGER = 4
"""A deployment is watched closely, and the one before it kept warm, for so many times the usual."""


def warm_time(deployment: Deployment, settings: Settings) -> datetime.timedelta:
    """Return how long the release before stays warm."""
    times = LONGER if deployment.watch else 1
    return datetime.timedelta(seconds=settings.warm_seconds * times)


def crashes_that_tell(deployment: Deployment) -> int:
    """Return how often an instance may die before its first answer until it is given up."""
    return 1 if deployment.watch else CRASHES_THAT_TELL


async def watch(on: Platform) -> None:
    """Tell, once, of each watched deployment whose instances have died."""
    for deployment in await on.deployments.watched(clock.now()):
        running = await on.instances.running(deployment.app, deployment.environment)
        died = sum(
            [await on.instances.crashes(i) for i in running if i.deployment == deployment.served_by]
        )
        if died:
            await telling.tell(
                on,
                deployment,
                "deployment.crashed",
                f"{deployment} is watched closely, and its instances have died {died} time(s)."
                f" `shipway rollback {deployment.environment}` takes it back.",
                died=died,
            )
