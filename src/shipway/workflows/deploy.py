"""A release enters an environment, or everything stays as it was."""

from __future__ import annotations

from shipway.kit import durable, errors
from shipway.workflows.deploying import Deploying
from shipway.workflows.outcome import Outcome


async def deploy(deployment: str, do: Deploying) -> Outcome:
    """Rehearse, migrate, start beside the old, wait until ready, turn the traffic, look again."""
    try:
        way = await do.admit(deployment)
        await do.unpack(way)
        await do.rehearse(way)
        await do.migrate(way)
        await do.start(way)
        await do.wait_until_ready(way)
        await do.join_traffic(way)
        await do.publish_update(way)
        for stage in way.stages:
            await do.shift(stage, way)
        await do.verify(way)
        await do.prove(way)
        return await do.settle(way)
    except errors.ShipwayError as error:
        return await withdrawn(deployment, str(error), do)


async def withdrawn(deployment: str, why: str, do: Deploying) -> Outcome:
    """Take a deployment back, however long a part that this needs does not answer."""
    while True:
        try:
            return await do.withdraw(deployment, why)
        except (errors.Unavailable, durable.Interrupted):
            continue  # who interrupts it wants just this
        except errors.ShipwayError as error:
            return await do.give_up(deployment, f"{why} Besides: {error}")
