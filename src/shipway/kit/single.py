"""One at a time: a process that holds an advisory lock of the database for as long as it lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import psycopg

from shipway.kit import log

_LOCK = 7_305_770_001
"""The advisory lock that the one worker holds."""

_log = log.get("single")


@contextlib.asynccontextmanager
async def alone(url: str) -> AsyncIterator[None]:
    """Hold the worker's lock on a connection of its own; end the process when it is lost.

    Waits for as long as another process holds it.
    """
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, application_name="shipway worker lock"
    )
    await connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    watch = asyncio.create_task(_leave_when_lost(connection))
    try:
        yield
    finally:
        watch.cancel()
        await connection.close()


async def _leave_when_lost(connection: psycopg.AsyncConnection[Any]) -> None:
    """Without the lock another worker may start: two would do everything twice."""
    try:
        async for _ in connection.notifies():
            pass
    except psycopg.Error:
        _log.exception("worker.lost_its_lock")
    os._exit(70)
