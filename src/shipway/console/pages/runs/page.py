"""The page of an app's runs."""

from __future__ import annotations

from shipway.builds.model import State
from shipway.console import ranges
from shipway.console.page import Asked, Page, Shown
from shipway.console.pages.runs import model
from shipway.kit import clock, db

_SQL = db.queries(__package__)

AT_ONCE = 50


async def show(asked: Asked) -> Shown:
    app = (await asked.on.apps.get(asked.path["app"])).name
    chosen = {name: asked.query.get(name, "")[:200] for name in ("branch", "state", "before")}
    range_ = ranges.of(asked.query)
    runs = await asked.on.database.rows(
        _SQL["runs"],
        app=app,
        limit=AT_ONCE + 1,
        since=range_.since,
        until=range_.until,
        **chosen,
    )
    branches = await asked.on.database.rows(_SQL["branches"], app=app)
    return Shown(
        title="Runs",
        app=app,
        live=f"/console/live/{app}",
        facts={
            "chosen": chosen,
            "range": range_,
            "bars": model.bars(runs[:AT_ONCE], clock.now()),
            "height": model.HEIGHT,
            "breadth": model.BROADEST,
            "width": AT_ONCE * model.STRIDE,
            "branches": [row["branch"] for row in branches],
            "states": [state.value for state in State],
            "next": runs[AT_ONCE - 1]["id"] if len(runs) > AT_ONCE else "",
        },
        panels={"runs": runs[:AT_ONCE]},
    )


PAGE = Page(path="/apps/{app}/runs", show=show, template="runs/page.html", menu="Runs", order=10)
