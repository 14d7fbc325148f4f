"""The calls about schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2

from shipway.client import schema_wire, wire
from shipway.client.asking import Asking


class SchemaCalls(Asking):
    """The part of the client that speaks about schemas."""

    async def migrations(
        self, app: str, environment: str, *, limit: int = 20, after: str = ""
    ) -> wire.Page[schema_wire.Migration]:
        """The newest come first."""
        query = httpx2.QueryParams({"limit": str(limit), "after": after})
        path = f"{_schema(app, environment)}/migrations?{query}"
        return await self._ask(wire.Page[schema_wire.Migration], "GET", path)

    async def plan(self, app: str, environment: str, *, release: str = "") -> schema_wire.Plan:
        """Return the newest rehearsal of a release, of the newest one unless it is named."""
        query = httpx2.QueryParams({"release": release})
        return await self._ask(schema_wire.Plan, "GET", f"{_schema(app, environment)}/plan?{query}")

    async def rehearse(self, app: str, environment: str, *, release: str = "") -> schema_wire.Plan:
        body = schema_wire.Rehearse(release=release)
        return await self._ask(
            schema_wire.Plan, "POST", f"{_schema(app, environment)}/rehearsals", body
        )

    async def take_schema_back(
        self, app: str, environment: str, *, reason: str = ""
    ) -> schema_wire.Plan:
        body = schema_wire.TakeBack(reason=reason)
        return await self._ask(
            schema_wire.Plan, "POST", f"{_schema(app, environment)}/rollback", body
        )

    async def follow_rehearsal(self, plan: schema_wire.Plan) -> AsyncIterator[schema_wire.Plan]:
        """Tell a rehearsal until it is over."""
        yield plan
        path = f"{_schema(plan.app, plan.environment)}/rehearsals/{quote(plan.id, safe='')}"
        while not plan.over:
            plan = await self._ask(schema_wire.Plan, "GET", f"{path}?wait=20")
            yield plan


def _schema(app: str, environment: str) -> str:
    return f"/v1/apps/{quote(app, safe='')}/environments/{quote(environment, safe='')}/schema"
