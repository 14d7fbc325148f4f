"""The page of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipway.access.model import Role
from shipway.console.page import Asked, Deed, Page, Shown, taken
from shipway.console.pages.people.page import MEANINGS
from shipway.kit import clock

OWN = "/v1/people/{person}"


async def show(asked: Asked) -> Shown:
    on, name = asked.on, asked.path["person"]
    person = await on.people.get(name)
    is_self = name == asked.session.person
    looks_after = is_self or asked.is_owner
    tokens = await on.people.tokens(name) if looks_after else ()
    sessions = await on.sessions.of(name) if looks_after else ()
    return Shown(
        title=name,
        facts={
            "person": person,
            "is_self": is_self,
            "looks_after": looks_after,
            "has_password": is_self and await on.passwords.has(name),
            "meanings": MEANINGS,
            "roles": list(Role),
            "at": clock.now(),
        },
        panels={
            "tokens": [
                {
                    "id": one.id,
                    "name": one.name,
                    "created": one.created,
                    "expires": one.expires,
                    "last_used": one.last_used,
                }
                for one in tokens
            ],
            "sessions": [
                {"id": one.id, "about": one.about, "created": one.created, "seen": one.seen}
                for one in sessions
            ],
        },
    )


def _emails(fields: Mapping[str, str]) -> Mapping[str, Any]:
    return {"emails": fields.get("emails", "").split()}


def _token(fields: Mapping[str, str]) -> Mapping[str, Any]:
    days = fields.get("days", "")
    return {"name": fields.get("name", ""), "expires_days": int(days) if days.isdecimal() else None}


PAGE = Page(
    path="/people/{person}",
    show=show,
    template="person/page.html",
    deeds=(
        Deed(
            name="change_role",
            method="PATCH",
            path=OWN,
            body=taken("role"),
            said="{name} is {role} now.",
        ),
        Deed(
            name="change_emails",
            method="PATCH",
            path=OWN,
            body=_emails,
            said="The addresses of {name} are changed.",
        ),
        Deed(name="remove_person", method="DELETE", path=OWN, sure="person", then="/people"),
        Deed(name="issue_token", method="POST", path=f"{OWN}/tokens", body=_token, tells=True),
        Deed(name="revoke_token", method="DELETE", path=f"{OWN}/tokens/{{token}}"),
        Deed(name="make_link", method="POST", path=f"{OWN}/links", tells=True),
        Deed(
            name="set_password",
            method="PUT",
            path=f"{OWN}/password",
            body=taken("password", "current"),
        ),
        Deed(name="end_session", method="DELETE", path=f"{OWN}/sessions/{{session}}"),
    ),
)
