"""The calls about databases and their backups."""

from __future__ import annotations

from urllib.parse import quote

import httpx2

from shipway.client import wire
from shipway.client.asking import Asking
from shipway.client.backups_wire import (
    AskOperation,
    Database,
    Operation,
    Preview,
    SetBucket,
)


class BackupCalls(Asking):
    """The part of the client that speaks about backups."""

    async def database(self, app: str, environment: str) -> Database:
        return await self._ask(Database, "GET", f"{_path(app, environment)}/database")

    async def operate(self, app: str, environment: str, body: AskOperation) -> Operation:
        """Have the worker do something, and wait until it is over."""
        asked = await self.start_operation(app, environment, body)
        while asked.ended is None:
            asked = await self.operation(app, environment, asked.id, wait=20)
        return asked

    async def operation(
        self, app: str, environment: str, operation: str, *, wait: float = 0
    ) -> Operation:
        path = f"{_path(app, environment)}/operations/{quote(operation, safe='')}?wait={wait:g}"
        return await self._ask(Operation, "GET", path)

    async def preview_restore(
        self, app: str, environment: str, to: str, repository: int | None
    ) -> Preview:
        query = httpx2.QueryParams({"to": to, "repository": repository or 0})
        return await self._ask(Preview, "GET", f"{_path(app, environment)}/restore?{query}")

    async def start_operation(self, app: str, environment: str, body: AskOperation) -> Operation:
        """Have the worker do something, and do not wait for it."""
        return await self._ask(Operation, "POST", f"{_path(app, environment)}/operations", body)

    async def set_bucket(self, app: str, environment: str, body: SetBucket) -> wire.Said:
        path = f"{_path(app, environment)}/backup-bucket"
        return await self._ask(wire.Said, "PUT", path, body)


def _path(app: str, environment: str) -> str:
    return f"/v1/apps/{quote(app, safe='')}/environments/{quote(environment, safe='')}"
