"""The page of the audit trail."""

from __future__ import annotations

from shipway.access.model import Action
from shipway.console import ranges
from shipway.console.page import Asked, Page, Shown
from shipway.kit import db

_SQL = db.queries(__package__)

AT_ONCE = 100


async def show(asked: Asked) -> Shown:
    asked.session.caller.must(Action.READ_AUDIT)
    chosen = {name: asked.query.get(name, "")[:100] for name in ("who", "what")}
    before, range_ = asked.query.get("before", ""), ranges.of(asked.query)
    found = await asked.on.database.rows(
        _SQL["trail"],
        limit=AT_ONCE + 1,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None,
        since=range_.since,
        until=range_.until,
        **chosen,
    )
    people = await asked.on.people.list()
    return Shown(
        title="Audit",
        facts={
            "chosen": chosen,
            "range": range_,
            "people": [one.name for one in people],
            "next": found[AT_ONCE - 1]["id"] if len(found) > AT_ONCE else 0,
        },
        panels={"trail": found[:AT_ONCE]},
    )


PAGE = Page(path="/audit", show=show, template="audit/page.html", menu="Audit", order=92)
