"""Room for steps: as many side by side as the machine has cores and memory for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psutil

SHARE_OF_MEMORY = 0.75
"""The rest is for the instances and databases that run on the same machine."""


class Room:
    """Cores and memory that are lent to steps, first come, first served.

    ``most`` is how many bytes there are when nobody has any.
    """

    def __init__(self, cores: int, memory: int) -> None:
        self._cores = max(cores, 1)
        self._memory = memory
        self.most = memory
        self._changed = asyncio.Condition()
        self._queue: list[object] = []

    @classmethod
    def of_this_machine(cls) -> Room:
        cores = psutil.cpu_count() or 1
        return cls(cores, int(psutil.virtual_memory().total * SHARE_OF_MEMORY))

    @contextlib.asynccontextmanager
    async def taken(self, memory: int) -> AsyncIterator[None]:
        """Wait for a core and this many bytes, and hold them for the length of the block.

        Who wants more than there is takes all of it.
        """
        wanted = min(memory, self.most)
        await self._take(wanted)
        try:
            yield
        finally:
            async with self._changed:
                self._cores += 1
                self._memory += wanted
                self._changed.notify_all()

    async def _take(self, wanted: int) -> None:
        ticket = object()
        async with self._changed:
            self._queue.append(ticket)
            try:
                await self._changed.wait_for(
                    lambda: self._queue[0] is ticket and self._cores and self._memory >= wanted
                )
                self._cores -= 1
                self._memory -= wanted
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
