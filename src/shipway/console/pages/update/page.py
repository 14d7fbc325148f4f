"""The page of an update."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from shipway.access.model import Action
from shipway.console import ranges
from shipway.console.page import Asked, Deed, Page, Shown
from shipway.console.pages.update import model
from shipway.kit import clock, db, errors

_SQL = db.queries(__package__)

SHORTEST = datetime.timedelta(minutes=1)
"""A chart shows at least so much."""


async def show(asked: Asked) -> Shown:
    app, on = asked.path["app"], asked.on
    await on.apps.get(app)
    group = await on.updates.records.group(asked.path["update"])
    if group.app != app:
        raise errors.NotFound(f"{app} has no update {group.id}.")
    adopted = await on.updates.adoption.of(group.id)
    offered = sum(one.offered for one in adopted)
    range_ = ranges.of(asked.query)
    since = range_.since or group.created
    until = max(range_.until or clock.now(), since + SHORTEST)
    launches = await on.database.rows(
        _SQL["launches"], group=group.id, since=since, until=until, parts=model.PARTS
    )
    shares = model.shares(launches, offered)
    return Shown(
        title=group.version or f"Update {group.number}",
        app=app,
        live=f"/console/live/{app}",
        facts={
            "update": group,
            "range": range_,
            "curve": model.curve(shares),
            "points": model.points(shares, since, until),
            "offered": offered,
            "launched": sum(one.launched for one in adopted),
            "failed": sum(one.failed for one in adopted),
            "silent": sum(one.silent for one in adopted),
            "may_change": group.state != "reverted" and asked.may(Action.DEPLOY, group.branch),
        },
        panels={
            "adoption": [vars(one) for one in adopted],
            "failures": [vars(one) for one in await on.updates.adoption.failures(group.id)],
            "patches": await on.database.rows(_SQL["patches"], app=app, group=group.id),
            "changes": await on.database.rows(_SQL["changes"], app=app, group=group.id),
        },
    )


def _change(action: str, *, sure: str = "") -> Deed:
    """Return the deed of a change of this update, which the worker makes."""

    def body(fields: Mapping[str, str]) -> Mapping[str, Any]:
        made: dict[str, Any] = {"action": action, "update": fields["update"]}
        if action == "share":
            share = fields.get("percent", "").replace(",", ".")
            try:
                made["per_mille"] = round(float(share) * 10)
            except (ValueError, OverflowError) as error:
                raise errors.Invalid(f"{share[:20]!r} is not a share in per cent.") from error
        if fields.get("message"):
            made["message"] = fields["message"]
        return made

    return Deed(
        name=action,
        method="POST",
        path="/v1/apps/{app}/update-changes",
        body=body,
        said="The worker was asked to do it. This page follows it.",
        sure=sure,
    )


PAGE = Page(
    path="/apps/{app}/updates/{update}",
    show=show,
    template="update/page.html",
    deeds=(
        _change("share"),
        _change("pause"),
        _change("resume"),
        _change("revert", sure="branch"),
    ),
)
