"""A ready release waits for its approvals, gets its tag, and goes to production."""

from __future__ import annotations

from shipway.kit import durable, errors
from shipway.workflows.outcome import Outcome
from shipway.workflows.promoting import Promoting, Promotion

MOVED = "main has moved since it was tested. It is merged and tested anew, and needs a yes again."


async def promote(promotion: Promotion, do: Promoting) -> Outcome:
    """Wait for the last approval without holding the environment; then tag and deploy.

    A hotfix is brought to main first. Where main has moved, it is tested with that anew.
    """
    try:
        while not (decision := await do.count_approvals(promotion)).enough:
            message = await durable.receive("approval", timeout=decision.patience)
            if message is None and await do.has_expired(promotion):
                return await do.expire(promotion)
        if not await do.merge(promotion):
            await durable.follow_up(await do.start_over(promotion))
            return await do.fail(promotion, MOVED)
        await do.tag(promotion)
        deployment = await do.ask_for_deployment(promotion)
        return Outcome(**await durable.child(deployment))
    except errors.ShipwayError as error:
        return await do.fail(promotion, str(error))
