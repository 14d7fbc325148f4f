"""Runs the workflows until told to stop: the process behind ``python -m shipway.worker``.

Killing it at any point loses nothing: the next one resumes what was under way, and no instance
of any app notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from shipway import wiring
from shipway.kit import clock, durable, errors, log, settings
from shipway.workflows import (
    backing_up,
    deploying,
    housekeeping,
    requests,
    starting,
    updating,
    watching,
)

HOUSEKEEPING_SECONDS = 30.0
"""How often warm releases are looked at, whether every instance is where it should be, and the
room on the disk."""

UPDATES_SECONDS = 10.0
"""How often updates are looked at; an update that fails on devices is halted so soon."""

EDGE_SECONDS = 600.0
ACCESS_LOG_BYTES = 64 * 1024**2

_log = log.get("worker")


async def serve(stop: asyncio.Event, *, given: settings.Settings | None = None) -> None:
    """Work until ``stop`` is set; then finish nothing, for all of it can be resumed."""
    async with wiring.worker(given or settings.load()) as parts:
        chores = (
            lambda: _obey_interrupts(parts),
            lambda: _end_abandoned(parts),
            lambda: _retire(parts),
            lambda: _mend(parts),
            lambda: _keep_edge(parts),
            lambda: _keep_house(parts),
            lambda: _keep_backups(parts),
            lambda: _keep_updates(parts),
            lambda: _make_patches(parts),
            parts.courier.deliver,
        )
        async with parts.engine.running():
            await wiring.start_edge(parts)
            await parts.requests.resume()
            await parts.backup_requests.resume()
            for stranded in await parts.engine.stranded():
                _log.error("workflow.stranded", workflow=stranded)
            tasks = [asyncio.create_task(_again(chore)) for chore in chores]
            _log.info("worker.ready")
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _again(chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a chore for ever, again when a part that it needs did not answer."""
    while True:
        try:
            await chore()
        except errors.ShipwayError as error:
            _log.warning("chore.waits", why=str(error))
        except Exception:  # noqa: BLE001 -- a bug in one chore must not end the workflows
            _log.exception("chore.broke")
        await asyncio.sleep(1)


async def _obey_interrupts(parts: wiring.Worker) -> None:
    """End the steps of workflows that somebody cancels."""
    async for _, workflow in parts.database.listen(requests.INTERRUPT):
        # The first notice names none: what was sent while nobody listened is made up for.
        for run in [workflow] if workflow else await parts.requests.cancelled(durable.under_way()):
            durable.interrupt(run)


async def _end_abandoned(parts: wiring.Worker) -> None:
    """End what nobody resumes any more, so that the people who wait for it hear of it."""
    while True:
        for abandoned in await parts.engine.abandoned():
            await parts.requests.end(abandoned)
            await parts.backup_requests.end(abandoned)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _retire(parts: wiring.Worker) -> None:
    """Stop the instances of releases that have cooled."""
    while True:
        await deploying.retire_cooled(parts.platform)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _mend(parts: wiring.Worker) -> None:
    """Bring back instances that should run and do not; a release that leaves must not delay it.
    Tell of those that died under a close watch."""
    while True:
        await starting.mend(parts.platform)
        await watching.watch(parts.platform)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _keep_updates(parts: wiring.Worker) -> None:
    """Learn what updates do on devices, and halt what fails there."""
    while True:
        await updating.keep_house(parts.platform)
        await asyncio.sleep(UPDATES_SECONDS)


async def _make_patches(parts: wiring.Worker) -> None:
    """Make patches, which takes its time: by itself, so that nothing waits for it."""
    while True:
        await parts.platform.updates.make_patches()
        await asyncio.sleep(UPDATES_SECONDS)


async def _keep_house(parts: wiring.Worker) -> None:
    """Ask for housekeeping when it is due; one that is asked for again is done once."""
    asked = ""
    while True:
        short = await asyncio.to_thread(parts.platform.builder.is_short_of_disk)
        if (name := housekeeping.due(clock.now(), short=short)) != asked:
            await parts.requests.keep_house_daily(name)
            asked = name
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _keep_backups(parts: wiring.Worker) -> None:
    """Ask for the backups that are due, and see that nothing about them is late."""
    while True:
        await parts.backup_requests.keep_schedule(parts.platform)
        await backing_up.look_after(parts.platform)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _keep_edge(parts: wiring.Worker) -> None:
    """Renew certificates that near their end, and keep the access log from filling the disk."""
    while True:
        await asyncio.sleep(EDGE_SECONDS)
        await parts.platform.traffic.refresh()
        await parts.edge.rotate_access_log(keep_bytes=ACCESS_LOG_BYTES)


async def main() -> None:
    log.configure()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(stop)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
