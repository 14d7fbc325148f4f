"""The calls about housekeeping."""

from __future__ import annotations

import abc
from typing import TypeVar
from urllib.parse import quote

import pydantic

from shipway.client import wire
from shipway.client.housekeeping_wire import Housekeeping, KeepHouse

Answer = TypeVar("Answer", bound=pydantic.BaseModel)


class HousekeepingCalls(abc.ABC):
    """The part of the client that speaks about housekeeping."""

    @abc.abstractmethod
    async def _ask(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: pydantic.BaseModel | dict[str, str] | None = None,
    ) -> Answer: ...

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
