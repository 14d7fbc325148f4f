"""From a push to *ready*: tests and builds side by side, staging, then the wait for a yes.

A hotfix is merged with main before it is tested, and skips staging.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from shipway.kit import durable, errors
from shipway.workflows.delivering import Delivering
from shipway.workflows.outcome import Outcome

T = TypeVar("T")


async def deliver(run: str, do: Delivering) -> Outcome:
    """Test and build a commit; on main, release it to staging and make it ready for production."""
    try:
        work = await do.check_out(run)
        results = []
        for layer in work.layers:
            results += await side_by_side(run, [do.perform(step, work) for step in layer])
        if not work.delivers:
            return await do.succeed(run, "The fast tests passed, and everything is built.")
        release = await do.release(work, results)
        await do.rehearse(run, release)
        if staging := await do.ask_for_staging(run, release):
            await do.confirm(run, Outcome(**await durable.child(staging)))
        ready = await do.declare_ready(run, release)
        if promotion := await do.ask_for_promotion(release):
            await durable.follow_up(promotion)
        return await do.succeed(run, ready)
    except durable.Interrupted as error:
        return await do.cancel(run, str(error))
    except errors.ShipwayError as error:
        return await do.fail(run, str(error))


async def side_by_side(run: str, steps: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run steps together; when one fails, end the others and raise its error."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        return list(await asyncio.gather(*tasks))
    except errors.ShipwayError:
        durable.interrupt(run)
        # The others end by themselves and are recorded, so that a resumed run sees the same: the
        # error that ended them, and not that they were ended.
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [error for error in ended if isinstance(error, errors.ShipwayError)]
        causes = [error for error in failed if not isinstance(error, durable.Interrupted)]
        raise (causes or failed)[0] from None
