"""The page of an app's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipway.access.model import Action
from shipway.console.page import Asked, Deed, Page, Shown, taken
from shipway.environments import policy
from shipway.workflows import names

VARIABLE = "/v1/apps/{app}/environments/{environment}/variables/{name}"


async def show(asked: Asked) -> Shown:
    app, on = asked.path["app"], asked.on
    await on.apps.get(app)
    environment = asked.query.get("environment") or names.PRODUCTION
    policy.check_environment(environment)
    told = await asked.door.ask(
        "GET", f"/v1/apps/{app}/environments/{environment}", asked.session.caller
    )
    differences = await on.variables.diff(app, *names.DEPLOYED)
    may_tell = asked.may(Action.CHANGE_CHANNELS)
    return Shown(
        title="Settings",
        app=app,
        facts={
            "environment": environment,
            "environments": policy.ENVIRONMENTS,
            "api": told,
            "may_set": asked.may(Action.SET_VARIABLE, environment),
            "may_tell": may_tell,
            "may_remove": asked.may(Action.REMOVE_APP),
            "smtp": bool(on.settings.smtp_url),
        },
        panels={
            "variables": [_variable(one) for one in told["variables"]],
            "differences": [{"name": one.name, "sentence": one.sentence} for one in differences],
            "policy": [{"name": k, "value": v} for k, v in told["policy"].items()],
            "channels": await _channels(asked, app) if may_tell else [],
            "deliveries": await _deliveries(asked, app),
        },
    )


def _variable(one: Mapping[str, Any]) -> Mapping[str, Any]:
    names_ = ("name", "kind", "value", "source", "description", "required", "set_by")
    return {name: one[name] for name in names_}


async def _channels(asked: Asked, app: str) -> Sequence[Mapping[str, Any]]:
    found = await asked.on.channels.list(app)
    return [{"id": one.id, "kind": one.kind, "target": one.target} for one in found]


async def _deliveries(asked: Asked, app: str) -> Sequence[Mapping[str, Any]]:
    kept = ("event", "sentence", "channel", "state", "attempts", "last_error", "at")
    found = await asked.on.outbox.deliveries(app, limit=20)
    return [{name: getattr(one, name) for name in kept} for one in found]


PAGE = Page(
    path="/apps/{app}/settings",
    show=show,
    template="settings/page.html",
    menu="Settings",
    order=40,
    deeds=(
        Deed(
            name="set_variable",
            method="PUT",
            path=VARIABLE,
            body=taken("value", "kind"),
            then="/apps/{app}/settings?environment={environment}",
        ),
        Deed(
            name="unset_variable",
            method="DELETE",
            path=VARIABLE,
            sure="name",
            then="/apps/{app}/settings?environment={environment}",
        ),
        Deed(
            name="add_channel",
            method="POST",
            path="/v1/apps/{app}/channels",
            body=taken("kind", "target"),
            tells=True,
        ),
        Deed(name="remove_channel", method="DELETE", path="/v1/apps/{app}/channels/{channel}"),
        Deed(name="remove_app", method="DELETE", path="/v1/apps/{app}", sure="app", then="/"),
    ),
)
