"""A database is backed up into every repository, or its repositories are checked."""

from __future__ import annotations

from shipway.kit import errors
from shipway.workflows.backing_up import BackingUp
from shipway.workflows.outcome import Outcome


async def back_up(operation: str, do: BackingUp) -> Outcome:
    """One repository after the other; what fails in one does not stop the next."""
    try:
        task = await do.prepare(operation)
        results = [await do.take(into, task) for into in task.into]
        return await do.settle(operation, results)
    except errors.ShipwayError as error:
        return await do.fail(operation, str(error))


async def check_backups(operation: str, do: BackingUp) -> Outcome:
    """See in each repository that the log is unbroken and that every checksum holds."""
    try:
        task = await do.begin(operation)
        results = [await do.check(into, task) for into in task.into]
        return await do.settle(operation, results)
    except errors.ShipwayError as error:
        return await do.fail(operation, str(error))
