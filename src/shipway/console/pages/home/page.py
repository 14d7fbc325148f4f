"""All apps."""

from __future__ import annotations

from shipway.access.model import Action
from shipway.console.page import Asked, Deed, Page, Shown, taken
from shipway.kit import db

_SQL = db.queries(__package__)


async def show(asked: Asked) -> Shown:
    apps = await asked.on.database.rows(_SQL["apps"])
    return Shown(
        title="Apps",
        facts={"may_create": asked.may(Action.CREATE_APP)},
        panels={"apps": apps},
    )


PAGE = Page(
    path="/",
    show=show,
    template="home/page.html",
    menu="Apps",
    order=90,
    deeds=(
        Deed(
            name="create_app",
            method="POST",
            path="/v1/apps",
            body=taken("name"),
            said="{name} is there. Push to {git_url}",
            then="/apps/{name}",
        ),
    ),
)
