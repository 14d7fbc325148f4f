"""Whoever cancels a run ends the step that it is in, also while the worker hears nothing."""

from __future__ import annotations

import asyncio
import types
from typing import cast

import pytest

from shipway import wiring, worker
from shipway.builds.model import RunKind, State
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.environments.apps import Apps
from shipway.kit import db, durable
from shipway.workflows.requests import Requests

pytestmark = pytest.mark.anyio

HEARS = "select pid from pg_stat_activity where application_name = 'shipway listen'"


async def test_a_run_cancelled_while_nobody_listened_is_interrupted(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Apps(database).create("tiny", "dev")
    runs = Runs(database)
    run = await runs.create("tiny", "main", f"{1:040x}", push=1, kind=RunKind.FULL, by="dev")
    step = asyncio.create_task(asyncio.sleep(1000))
    monkeypatch.setitem(durable._running, run.id, {step})
    requests = Requests(database, cast("Sources", None), cast("durable.Remote", None))
    parts = cast("wiring.Worker", types.SimpleNamespace(database=database, requests=requests))
    obeying = asyncio.create_task(worker._again(lambda: worker._obey_interrupts(parts)))
    try:
        await _until(database, HEARS)
        # What is sent between the loss of the connection and the next one comes to nobody.
        await database.rows(f"select pg_terminate_backend(pid, 5000) from ({HEARS}) as heard")
        await runs.set_state(run.id, State.CANCELLED, "Cancelled by dev.")

        async with asyncio.timeout(30):
            await asyncio.wait({step})
    finally:
        obeying.cancel()
    assert step.cancelled()


async def _until(database: db.Database, sql: str) -> None:
    async with asyncio.timeout(30):
        while not await database.rows(sql):  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.02)
