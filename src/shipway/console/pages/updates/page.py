"""The page of an app's updates."""

from __future__ import annotations

from shipway.console import ranges
from shipway.console.page import Asked, Page, Shown
from shipway.kit import db

_SQL = db.queries(__package__)

AT_ONCE = 30
LAST = 2**62


async def show(asked: Asked) -> Shown:
    app, rows = (await asked.on.apps.get(asked.path["app"])).name, asked.on.database.rows
    branch, before = asked.query.get("branch", "")[:100], asked.query.get("before", "")
    below = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else LAST
    range_ = ranges.of(asked.query)
    found = await rows(
        _SQL["updates"],
        app=app,
        branch=branch,
        below=below,
        since=range_.since,
        until=range_.until,
        limit=AT_ONCE + 1,
    )
    channels = await rows(_SQL["channels"], app=app)
    return Shown(
        title="Updates",
        app=app,
        live=f"/console/live/{app}",
        facts={
            "branch": branch,
            "branches": sorted({one["branch"] for one in channels}),
            "range": range_,
            "next": found[AT_ONCE - 1]["number"] if len(found) > AT_ONCE else 0,
        },
        panels={
            "updates": found[:AT_ONCE],
            "channels": channels,
            "builds": await rows(_SQL["builds"], app=app),
        },
    )


PAGE = Page(
    path="/apps/{app}/updates",
    show=show,
    template="updates/page.html",
    menu="Updates",
    order=30,
)
