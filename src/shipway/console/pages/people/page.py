"""The page of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipway.access.model import Role
from shipway.console.page import Asked, Deed, Page, Shown
from shipway.kit import db

_SQL = db.queries(__package__)

MEANINGS = {
    Role.VIEWER: "looks",
    Role.DEVELOPER: "also pushes, sets variables and deploys outside production",
    Role.APPROVER: "also approves, and does in production what a developer does elsewhere",
    Role.OWNER: "also changes people and removes apps",
}


async def show(asked: Asked) -> Shown:
    return Shown(
        title="People",
        facts={"meanings": MEANINGS},
        panels={"people": await asked.on.database.rows(_SQL["people"])},
    )


def _new(fields: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "name": fields.get("name", ""),
        "role": fields.get("role", ""),
        "emails": fields.get("emails", "").split(),
    }


PAGE = Page(
    path="/people",
    show=show,
    template="people/page.html",
    menu="People",
    order=91,
    deeds=(
        Deed(
            name="add_person",
            method="POST",
            path="/v1/people",
            body=_new,
            said="{name} is added. A sign-in link or a token lets them in.",
            then="/people/{name}",
        ),
    ),
)
