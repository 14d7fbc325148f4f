"""The page of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from shipway.access.model import Action
from shipway.builds.logs import Logs
from shipway.builds.model import State
from shipway.console import gates, loglines
from shipway.console.page import Asked, Deed, Page, Shown
from shipway.console.pages.run import model
from shipway.kit import clock, db, errors

_SQL = db.queries(__package__)

AT_ONCE = 500
"""Lines of a log that a page has; others are a click away."""
FOUND = 200
LAST_LINE = 10_000_000


async def show(asked: Asked) -> Shown:
    app, on = asked.path["app"], asked.on
    run = await on.runs.get(asked.path["run"])
    if run.app != app:
        raise errors.NotFound(f"{app} has no run {run.id}.")
    steps = await on.database.rows(_SQL["steps"], run=run.id)
    artifacts = await on.database.rows(_SQL["artifacts"], run=run.id)
    release = await on.releases.of_run(run.id)
    wards = await gates.of(asked, release) if release else ()
    step = model.chosen(steps, asked.query.get("step", ""))
    return Shown(
        title=f"{run.branch} {run.commit[:8]}",
        app=app,
        live=f"/console/live/{app}/{run.id}",
        facts={
            "run": run,
            "release": release,
            "wards": wards,
            "step": step,
            "layers": model.layers(steps),
            "bars": model.bars(steps, clock.now()),
            "width": model.WIDTH,
            "may_cancel": not run.state.is_final and asked.may(Action.CANCEL_RUN),
            "may_retry": run.state.is_final
            and run.state is not State.SUCCEEDED
            and asked.may(Action.PUSH),
            "log": await asyncio.to_thread(_log, on.logs, run.id, step, asked.query),
        },
        panels={"steps": steps, "artifacts": artifacts, "gates": gates.rows(wards)},
    )


def _log(logs: Logs, run: str, step: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the part of a log that is asked for: what is found, from a line on, or the end."""
    if wanted := query.get("find", "")[:200]:
        window, count = logs.find(run, step, wanted, most=FOUND)
    else:
        first = _number(query.get("line", ""))
        window = logs.window(run, step, first=first and max(first - 50, 1), count=AT_ONCE)
        count = 0
    first_shown = window.lines[0][0] if window.lines else 0
    last_shown = window.lines[-1][0] if window.lines else 0
    return {
        "html": loglines.items(window.lines),
        "total": window.total,
        "first": first_shown,
        "last": last_shown,
        "find": wanted,
        "found": count,
        "is_end": not wanted and last_shown == window.total,
        "after": f"{window.offset}.{window.total}",
        "earlier": max(first_shown - AT_ONCE + 50, 1),
        "later": last_shown + 51,
    }


def _number(text: str) -> int:
    return min(int(text), LAST_LINE) if text.isascii() and text.isdigit() else 0


PAGE = Page(
    path="/apps/{app}/runs/{run}",
    show=show,
    template="run/page.html",
    deeds=(
        Deed(name="cancel", method="POST", path="/v1/runs/{run}/cancel", said="{sentence}"),
        Deed(
            name="retry",
            method="POST",
            path="/v1/runs/{run}/retry",
            said="This run goes over the same commit again.",
            then="/apps/{app}/runs/{id}",
        ),
        *gates.DEEDS,
    ),
)
