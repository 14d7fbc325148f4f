"""Asks the worker for backups: for people, and by the schedule."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from shipway.access.model import Caller
from shipway.database.backups.model import Operation, OperationKind
from shipway.database.backups.records import Records
from shipway.kit import db, durable, errors, ids
from shipway.workflows import backed_up, backing_up, names
from shipway.workflows.platform import Platform


class BackupRequests:
    """Records first and enqueues second; what was recorded only is enqueued by `resume`."""

    def __init__(self, database: db.Database, remote: durable.Remote) -> None:
        self._records = Records(database)
        self._remote = remote

    async def ask(
        self,
        on: backed_up.Known,
        app: str,
        environment: str,
        kind: OperationKind,
        arguments: Mapping[str, Any],
        caller: Caller,
    ) -> Operation:
        """Ask for something about an environment's backups.

        Raises `errors.Refused` where there are none. Whether the caller may is for the API to ask.
        """
        await backed_up.site_of(on, app, environment)
        return await self._start(ids.new("op"), app, environment, kind, arguments, by=caller.person)

    async def keep_schedule(self, on: Platform) -> None:
        """Have done what is due, once each."""
        for site in await backed_up.sites(on):
            if wanted := await backing_up.due(on, site):
                name, kind, arguments = wanted
                await self._start(name, site.app, site.environment, kind, arguments, by="")

    async def resume(self) -> None:
        """Enqueue what was recorded and not enqueued. What was enqueued stays as it is."""
        for one in await self._records.waiting():
            await self._remote.start(names.operation(one))

    async def end(self, abandoned: durable.Start) -> None:
        """Have what was given up end, unless it has ended. May be repeated."""
        if abandoned.workflow not in names.OPERATIONS.values():
            return
        with contextlib.suppress(errors.NotFound):
            found = await self._records.operation(abandoned.request["operation"])
            if not found.over:
                await self._remote.start(
                    names.ending(
                        abandoned, queue=names.queue_of(found), lane=names.operation_lane(found)
                    )
                )

    async def _start(
        self,
        name: str,
        app: str,
        environment: str,
        kind: OperationKind,
        arguments: Mapping[str, Any],
        *,
        by: str,
    ) -> Operation:
        asked = await self._records.ask(name, app, environment, kind, arguments, by)
        await self._remote.start(names.operation(asked))
        return asked
