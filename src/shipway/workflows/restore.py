"""A database comes back: a copy is brought up beside the live one, looked at, and used or not."""

from __future__ import annotations

from shipway.kit import durable, errors
from shipway.workflows.outcome import Outcome
from shipway.workflows.restoring import Restoring


async def restore(operation: str, do: Restoring) -> Outcome:
    """Bring up a copy as of a moment. The live database serves on and is not touched."""
    try:
        await do.claim(operation)
        choice = await do.choose(operation)
        await do.fetch(operation, choice)
        arrival = await do.replay(operation, choice)
        return await do.compare(operation, choice, arrival)
    except errors.ShipwayError as error:
        return await do.give_up(operation, str(error))


async def promote(operation: str, do: Restoring) -> Outcome:
    """Put the copy in place of the live database, which is kept beside it."""
    try:
        secured = await do.secure(operation)
        await do.put_in_place(operation)
        # The history is another one from here on, and only what is backed up in it can come back.
        await durable.follow_up(await do.ask_for_backup(operation))
        return await do.settle(operation, secured)
    except errors.ShipwayError as error:
        return await do.fail(operation, str(error))


async def bring_back(operation: str, do: Restoring) -> Outcome:
    """Copy the rows of some tables from the copy into the live database."""
    try:
        return await do.bring_back(operation)
    except errors.ShipwayError as error:
        return await do.fail(operation, str(error))


async def discard(operation: str, do: Restoring) -> Outcome:
    """Throw away what stands beside the live database."""
    try:
        return await do.discard(operation)
    except errors.ShipwayError as error:
        return await do.fail(operation, str(error))
