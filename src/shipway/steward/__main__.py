"""The steward's process: `python -m shipway.steward`, kept by the tree that it looks after."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from shipway.kit import log, settings
from shipway.runtime.drivers.local import LocalKeeper
from shipway.steward.server import Server

SWEEP_SECONDS = 3.0

_log = log.get("steward")


async def main(found: settings.Settings) -> None:
    """Serve until told to stop; then end the tasks that still run, but no service."""
    keeper = LocalKeeper(found.home, found)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(keeper, found.home)
    async with server.listening(found.run / "steward.sock"), asyncio.TaskGroup() as group:
        _log.info("steward.listens", home=str(found.home))
        sweeping = group.create_task(_sweep(keeper))
        await stop.wait()
        sweeping.cancel()


async def _sweep(keeper: LocalKeeper) -> None:
    """Look after the tree: nobody tells when a supervisor has been killed."""
    while True:
        with contextlib.suppress(TimeoutError):
            try:
                for sentence in await keeper.sweep():
                    _log.warning("steward.swept", what=sentence)
            except Exception:  # noqa: BLE001 -- the next sweep may succeed; the verbs must go on
                _log.exception("steward.sweep_failed")
        await asyncio.sleep(SWEEP_SECONDS)


if __name__ == "__main__":
    log.configure()
    asyncio.run(main(settings.load()))
