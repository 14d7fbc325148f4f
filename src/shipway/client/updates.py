"""The calls about over-the-air updates."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import httpx2

from shipway.client import updates_wire, wire
from shipway.client.asking import Asking


class UpdateCalls(Asking):
    """The part of the client that speaks about updates."""

    async def updates(
        self, app: str, *, environment: str = "", limit: int = 20, after: str = ""
    ) -> wire.Page[updates_wire.Update]:
        """The newest come first."""
        query = httpx2.QueryParams({"environment": environment, "limit": limit, "after": after})
        path = f"{_path(app, 'updates')}?{query}"
        return await self._ask(wire.Page[updates_wire.Update], "GET", path)

    async def update(self, app: str, update: str) -> updates_wire.UpdateInFull:
        path = _path(app, "updates", update)
        return await self._ask(updates_wire.UpdateInFull, "GET", path)

    async def change_updates(
        self, app: str, body: updates_wire.ChangeUpdates
    ) -> updates_wire.Change:
        """Have the worker do something, and wait until it has."""
        change = await self._ask(updates_wire.Change, "POST", _path(app, "update-changes"), body)
        while change.state == "waiting":
            path = f"{_path(app, 'update-changes', change.id)}?wait=20"
            change = await self._ask(updates_wire.Change, "GET", path)
        return change

    async def update_channels(self, app: str) -> wire.Page[updates_wire.UpdateChannel]:
        path = _path(app, "update-channels")
        return await self._ask(wire.Page[updates_wire.UpdateChannel], "GET", path)

    async def update_keys(self, app: str) -> wire.Page[updates_wire.UpdateKey]:
        path = _path(app, "update-keys")
        return await self._ask(wire.Page[updates_wire.UpdateKey], "GET", path)

    async def update_garbage(self, app: str) -> updates_wire.UpdateGarbage:
        return await self._ask(updates_wire.UpdateGarbage, "GET", _path(app, "update-garbage"))

    async def store_builds(self, app: str) -> wire.Page[updates_wire.StoreBuild]:
        path = _path(app, "store-builds")
        return await self._ask(wire.Page[updates_wire.StoreBuild], "GET", path)

    async def hand_in_bundle(self, app: str, bundle: bytes) -> str:
        """Hand in the bundle of a native build. Returns its SHA-256. May be repeated."""
        name = hashlib.sha256(bundle).hexdigest()
        await self._put(_path(app, "embedded-bundles", name), bundle)
        return name

    async def register_build(
        self, app: str, body: updates_wire.RegisterBuild
    ) -> updates_wire.StoreBuild:
        return await self._ask(updates_wire.StoreBuild, "POST", _path(app, "store-builds"), body)


def _path(app: str, *rest: str) -> str:
    return "/v1/apps/" + "/".join(quote(part, safe="") for part in (app, *rest))
