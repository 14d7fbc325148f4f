"""Waiting for PostgreSQL's notices: one connection listens for everybody in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from shipway.kit import db, errors, log

CHANGES = "shipway_change"
"""The PostgreSQL channel on which tables that many hands write tell, by triggers, that they have
changed; the payload is the table's name."""

_log = log.get("notices")


class Notices:
    """Wakes those who wait for a channel and payload, such as a run's id.

    After a lost connection everybody is woken, since notices may have been lost with it.
    """

    def __init__(self, database: db.Database, *channels: str) -> None:
        self._db = database
        self._channels = channels
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self.closed = False
        """Whether this process is about to stop: streams end after what there is to tell."""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextlib.contextmanager
    def of(self, channel: str, payload: str) -> Iterator[Notice]:
        """Subscribe. Who looks at the state after this, and before each wait, misses nothing."""
        with self._subscribed((channel, payload)) as notice:
            yield notice

    @contextlib.contextmanager
    def of_all(self) -> Iterator[Notice]:
        """Subscribe to whatever is told."""
        with self._subscribed(*((channel, "") for channel in self._channels)) as notice:
            yield notice

    @contextlib.contextmanager
    def _subscribed(self, *keys: tuple[str, str]) -> Iterator[Notice]:
        event = asyncio.Event()
        for key in keys:
            self._waiting.setdefault(key, set()).add(event)
        try:
            yield Notice(event)
        finally:
            for key in keys:
                self._waiting[key].discard(event)
                if not self._waiting[key]:
                    del self._waiting[key]

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closed = True
        self._wake("", "")

    async def _listen(self) -> None:
        while True:
            try:
                async for channel, payload in self._db.listen(*self._channels):
                    self._wake(channel, payload)
            except errors.Unavailable as error:
                _log.warning("notices.lost", why=str(error))
                await asyncio.sleep(1)

    def _wake(self, channel: str, payload: str) -> None:
        if channel:
            events = set()
            for key in {(channel, payload), (channel, "")}:
                events |= self._waiting.get(key, set())
        else:
            events = {event for waiting in self._waiting.values() for event in waiting}
        for event in events:
            event.set()


class Notice:
    """A subscription."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self, seconds: float) -> None:
        """Wait for something new since the last wait, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()
