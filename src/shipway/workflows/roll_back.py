"""The release before comes back: at once while it is warm, from its artifacts later."""

from __future__ import annotations

from shipway.kit import errors
from shipway.workflows.deploy import withdrawn
from shipway.workflows.deploying import Deploying
from shipway.workflows.outcome import Outcome


async def roll_back(deployment: str, do: Deploying) -> Outcome:
    """Turn the traffic back. The schema stays: what was live before runs on it."""
    try:
        way = await do.choose_target(deployment)
        if not way.warm:
            await do.unpack(way)
            await do.start(way)
            await do.wait_until_ready(way)
            await do.join_traffic(way)
        for stage in way.stages:
            await do.shift(stage, way)
        await do.verify(way)
        await do.take_back_update(way)
        return await do.settle(way)
    except errors.ShipwayError as error:
        return await withdrawn(deployment, str(error), do)
