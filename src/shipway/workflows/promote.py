"""A ready release waits for its approvals, gets its tag, and goes to production."""

from __future__ import annotations

from shipway.kit import durable, errors
from shipway.workflows.outcome import Outcome
from shipway.workflows.promoting import Promoting, Promotion


async def promote(promotion: Promotion, do: Promoting) -> Outcome:
    """Wait for the last approval without holding the environment; then tag and deploy."""
    try:
        while not (decision := await do.count_approvals(promotion)).enough:
            message = await durable.receive("approval", timeout=decision.patience)
            if message is None and await do.has_expired(promotion):
                return await do.expire(promotion)
        await do.tag(promotion)
        deployment = await do.ask_for_deployment(promotion)
        return Outcome(**await durable.child(deployment))
    except errors.ShipwayError as error:
        return await do.fail(promotion, str(error))
