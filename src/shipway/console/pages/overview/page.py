"""The page of an app."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from shipway.console.page import Asked, Page, Shown
from shipway.console.pages.overview import model
from shipway.kit import db, errors
from shipway.workflows import names

_SQL = db.queries(__package__)

PARTS = ("worker", "intake", "edge")
"""Parts of Shipway whose absence a person must know of here."""

ASKED = ("live", "moving", "shares", "adoption", "runs", "deployments")
"""What is asked of the records."""

KEPT = 512
_drifts: dict[tuple[str, str, str], int] = {}


async def show(asked: Asked) -> Shown:
    app, on = asked.path["app"], asked.on
    product = await on.apps.product(app)
    wanted = [name for name in names.DEPLOYED if product and name in product.environments]
    down, answers, *told = await asyncio.gather(
        _down(asked),
        asyncio.gather(*(on.database.rows(_SQL[name], app=app) for name in ASKED)),
        *(_environment(asked, app, name) for name in wanted),
    )
    rows = dict(zip(ASKED, answers, strict=True))
    columns = [_column(name, rows, api) for name, api in zip(wanted, told, strict=True)]
    columns = await _with_drift(asked, app, columns)
    production = next((one for one in columns if one.name == names.PRODUCTION), None)
    return Shown(
        title=app,
        app=app,
        live=f"/console/live/{app}",
        facts={
            "columns": columns,
            "verdict": model.verdict(production or (columns[-1] if columns else None)),
            "next": model.next_step(app, columns, rows["runs"]),
            "production": production,
            "down": down,
            "git_url": f"/git/{app}.git",
        },
        panels={
            "environments": [_row(column) for column in columns],
            "runs": rows["runs"],
            "deployments": rows["deployments"],
        },
    )


async def _environment(asked: Asked, app: str, name: str) -> Mapping[str, Any]:
    return await asked.door.ask("GET", f"/v1/apps/{app}/environments/{name}", asked.session.caller)


def _column(
    name: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], api: Mapping[str, Any]
) -> model.Column:
    def mine(of: str) -> list[Mapping[str, Any]]:
        return [row for row in rows[of] if row["environment"] == name]

    return model.Column(
        name=name,
        live=next(iter(mine("live")), None),
        moving=next(iter(mine("moving")), None),
        shares=mine("shares"),
        update=next(iter(mine("adoption")), None),
        api=api,
        versions={row["id"]: row["version"] for row in rows["deployments"]}
        | {row["id"]: row["version"] for row in mine("live")},
    )


async def _with_drift(
    asked: Asked, app: str, columns: Sequence[model.Column]
) -> list[model.Column]:
    last = columns[-1].live if columns else None
    if last is None:
        return list(columns)
    return [
        dataclasses.replace(one, ahead=await _drift(asked, app, last["commit"], one.live["commit"]))
        if one.live
        else one
        for one in columns
    ]


async def _drift(asked: Asked, app: str, before: str, after: str) -> int:
    """Return how many commits one has and the other lacks; what is between two never changes."""
    key = (app, before, after)
    if key not in _drifts:
        if len(_drifts) >= KEPT:
            _drifts.clear()
        _drifts[key] = await asked.on.sources.count_between(app, before, after)
    return _drifts[key]


async def _down(asked: Asked) -> Sequence[str]:
    """Return the parts of Shipway that should run and do not."""
    try:
        async with asyncio.timeout(2):
            # Each by its name: with all of the apps' services there may be hundreds.
            services = asked.on.services.services
            found = await asyncio.gather(*(services(part) for part in PARTS))
    except (errors.Unavailable, TimeoutError):
        return ("steward",)
    up = {one.name for some in found for one in some if one.up}
    return tuple(part for part in PARTS if part not in up)


def _row(column: model.Column) -> Mapping[str, Any]:
    live, update = column.live or {}, column.update or {}
    return {
        "environment": column.name,
        "release": live.get("version", ""),
        "commit": live.get("commit", ""),
        "since": live.get("since"),
        "by": live.get("asked_by", ""),
        "schema_head": live.get("schema_head", ""),
        "watch": live.get("watch", ""),
        "instances": column.instances,
        "alive": column.alive,
        "database": column.api["database"],
        "update": update.get("version", ""),
        "update_devices": update.get("running", 0),
        "devices": update.get("devices", 0),
        "commits_ahead": column.ahead,
    }


PAGE = Page(path="/apps/{app}", show=show, template="overview/page.html", menu="Overview", order=0)
