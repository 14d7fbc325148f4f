"""Takes notifications from the outbox to where they go, again and again until they arrive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from shipway.health import model, outbox, senders
from shipway.health.model import Notification
from shipway.kit import db, errors, log
from shipway.kit.settings import Settings

AT_ONCE = 16
LONGEST_SLEEP = 60.0
"""Seconds; a claim that died with its worker is due again after this long too."""

_SQL = db.queries(__package__)
_log = log.get("courier")


class Opener(Protocol):
    """Opens what was sealed (`environments.vault.Vault` in the worker)."""

    def open(self, sealed: bytes, /) -> str: ...


class Courier:
    """Runs in the worker. Each attempt is bounded, so that a receiver which hangs holds up
    nobody else for long."""

    def __init__(self, database: db.Database, vault: Opener, settings: Settings) -> None:
        self._db = database
        self._vault = vault
        self._settings = settings
        self._news = asyncio.Event()

    async def deliver(self) -> None:
        """Deliver for ever: at once what is put, later what failed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            while True:
                self._news.clear()
                if not await self._look():
                    await self._rest()

    async def _look(self) -> int:
        try:
            return await self.deliver_due()
        except errors.Unavailable as error:
            _log.warning("outbox.unavailable", why=str(error))
            return 0

    async def deliver_due(self) -> int:
        """Attempt what is due now and return how many deliveries that were."""
        claimed = await self._db.rows(_SQL["claim"], limit=AT_ONCE)
        await asyncio.gather(*(self._attempt(row) for row in claimed))
        return len(claimed)

    async def _attempt(self, row: db.Row) -> None:
        try:
            await self._send(row)
        except senders.Gone as error:
            await self._db.run(_SQL["give_up"], id=row["delivery"], why=str(error))
        except errors.ShipwayError as error:
            await self._put_off(row, str(error))
        else:
            await self._db.run(_SQL["delivered"], id=row["delivery"])

    async def _send(self, row: db.Row) -> None:
        known = ("id", "event", "app", "subject", "sentence", "evidence", "at")
        notification = Notification(**{key: row[key] for key in known})
        if row["kind"] == "email":
            await senders.send_email(notification, row["target"], self._settings)
        else:
            secret = self._vault.open(bytes(row["secret"]))
            await senders.send_webhook(notification, row["target"], secret)

    async def _put_off(self, row: db.Row, why: str) -> None:
        wait = model.wait_after(row["attempts"])
        if wait is None:
            _log.warning("notification.given_up", delivery=row["delivery"], why=why)
            await self._db.run(_SQL["give_up"], id=row["delivery"], why=why)
        else:
            await self._db.run(_SQL["put_off"], id=row["delivery"], wait=wait, why=why)

    async def _rest(self) -> None:
        """Wait for something new, or until the next attempt is due."""
        seconds = LONGEST_SLEEP
        with contextlib.suppress(errors.Unavailable):
            row = await self._db.row(_SQL["next_due"])
            if row and row["seconds"] is not None:
                seconds = min(max(row["seconds"], 0.05), LONGEST_SLEEP)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _listen(self) -> None:
        while True:
            try:
                async for _ in self._db.listen(outbox.CHANNEL):
                    self._news.set()
            except errors.Unavailable as error:
                _log.warning("outbox.unavailable", why=str(error))
                await asyncio.sleep(1)
