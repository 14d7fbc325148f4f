"""The calls about housekeeping."""

from __future__ import annotations

from urllib.parse import quote

from shipway.client import wire
from shipway.client.asking import Asking
from shipway.client.housekeeping_wire import Housekeeping, KeepHouse


class HousekeepingCalls(Asking):
    """The part of the client that speaks about housekeeping."""

    async def keep_house(self, *, dry_run: bool) -> Housekeeping:
        """Have what is not needed removed, or told, and wait until that is done."""
        body = KeepHouse(dry_run=dry_run)
        done = await self._ask(Housekeeping, "POST", "/v1/housekeeping", body)
        while done.ended is None:
            path = f"/v1/housekeeping/{quote(done.id, safe='')}?wait=20"
            done = await self._ask(Housekeeping, "GET", path)
        return done

    async def housekeeping_so_far(self) -> wire.Page[Housekeeping]:
        """The newest come first."""
        return await self._ask(wire.Page[Housekeeping], "GET", "/v1/housekeeping")
