"""Runs, their steps and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import fastapi
from starlette.responses import StreamingResponse

from shipway.access.model import Action
from shipway.api import following, paging, shapes, writing
from shipway.api.asking import READS, Asker, Heard, On
from shipway.builds import records
from shipway.builds.model import StepRecord
from shipway.client import wire
from shipway.kit import errors
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform

router = fastapi.APIRouter(
    prefix="/v1", tags=["runs"], route_class=writing.Route, dependencies=[READS]
)

# Proxies must not hold lines back.
_LIVE = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.get("/apps/{app}/runs", name="runs.list")
async def list_runs(
    app: str, on: On, limit: paging.Limit = 20, after: paging.After = ""
) -> wire.Page[wire.Run]:
    """The newest first."""
    await on.apps.get(app)
    found = await on.runs.list(app, limit=limit + 1, before=after or None)
    shown = [shapes.run(run) for run in found]
    return paging.page(shown, limit, [run.id for run in shown])


@router.get("/runs/{run}", name="run.get")
async def get(run: str, on: On) -> wire.RunWithSteps:
    """A run with its steps."""
    found = await on.runs.get(run)
    steps = await on.runs.steps(run)
    return wire.RunWithSteps(
        **shapes.run(found).model_dump(), steps=tuple(shapes.step(step) for step in steps)
    )


@router.post("/runs/{run}/cancel", name="run.cancel")
async def cancel(run: str, asker: Asker, on: On) -> wire.Run:
    """End a run; the step that it is in ends at once."""
    asker.must(Action.CANCEL_RUN)
    await on.requests.cancel(run, asker)
    return shapes.run(await on.runs.get(run))


@router.post("/runs/{run}/retry", name="run.retry", status_code=202)
async def retry(run: str, asker: Asker, on: On) -> wire.Run:
    """Start another run of the same commit."""
    return shapes.run(await on.requests.retry(run, asker))


@router.get("/runs/{run}/events", name="run.events")
async def events(
    run: str, on: On, heard: Heard, after: Annotated[str, fastapi.Query(max_length=20_000)] = ""
) -> StreamingResponse:
    """The run as NDJSON, one `Event` a line, until it is over. ``after`` is a cursor."""
    seen = following.Seen.from_cursor(after)
    await on.runs.get(run)

    async def stream() -> AsyncIterator[str]:
        async for event in following.follow(run, seen, on, heard):
            yield event.model_dump_json(exclude_defaults=True) + "\n"

    return StreamingResponse(stream(), headers=_LIVE, media_type="application/x-ndjson")


@router.get("/runs/{run}/steps/{step}/log", name="step.log")
async def log(
    run: str, step: str, on: On, heard: Heard, *, follow: bool = False
) -> StreamingResponse:
    """A step's log as text; with ``follow``, until the step has ended."""
    await on.runs.get(run)
    await _step(run, step, on)
    stream = _log(run, step, on, heard, follow=follow)
    return StreamingResponse(stream, headers=_LIVE, media_type="text/plain; charset=utf-8")


async def _log(
    run: str, step: str, on: ApiPlatform, heard: Notices, *, follow: bool
) -> AsyncIterator[str]:
    seen = following.Seen()
    with heard.of(records.CHANNEL, run) as notice:
        while True:
            over = (await _step(run, step, on)).state.is_final
            async for line in following.lines(run, step, seen, on):
                yield line + "\n"
            if over or not follow or heard.closed:
                return
            await notice.wait(following.BEAT)


async def _step(run: str, name: str, on: ApiPlatform) -> StepRecord:
    steps: Sequence[StepRecord] = await on.runs.steps(run)
    for step in steps:
        if step.name == name:
            return step
    known = ", ".join(step.name for step in steps) or "none yet"
    raise errors.NotFound(f"Run {run} has no step {name[:100]!r}.", fix=f"Its steps: {known}.")
