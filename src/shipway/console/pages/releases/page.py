"""The page of an app's releases."""

from __future__ import annotations

from typing import get_args

from shipway.console import ranges
from shipway.console.page import Asked, Page, Shown
from shipway.kit import db
from shipway.releases.model import ReleaseState

_SQL = db.queries(__package__)

AT_ONCE = 50
LAST = 2**31 - 1


async def show(asked: Asked) -> Shown:
    app = (await asked.on.apps.get(asked.path["app"])).name
    state, before = asked.query.get("state", "")[:40], asked.query.get("before", "")
    below = min(int(before), LAST) if before.isascii() and before.isdigit() else LAST
    range_ = ranges.of(asked.query)
    found = await asked.on.database.rows(
        _SQL["releases"],
        app=app,
        below=below,
        state=state,
        since=range_.since,
        until=range_.until,
        limit=AT_ONCE + 1,
    )
    return Shown(
        title="Releases",
        app=app,
        live=f"/console/live/{app}",
        facts={
            "state": state,
            "states": get_args(ReleaseState),
            "range": range_,
            "next": found[AT_ONCE - 1]["number"] if len(found) > AT_ONCE else 0,
        },
        panels={"releases": found[:AT_ONCE]},
    )


PAGE = Page(
    path="/apps/{app}/releases",
    show=show,
    template="releases/page.html",
    menu="Releases",
    order=20,
)
