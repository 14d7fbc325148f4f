"""People, their tokens, and the audit trail."""

from __future__ import annotations

import datetime

import fastapi

from shipway.access.model import Action, Caller, Role
from shipway.api import paging, shapes, writing
from shipway.api.asking import READS, Asker, On
from shipway.client import wire
from shipway.kit import clock

router = fastapi.APIRouter(
    prefix="/v1", tags=["people"], route_class=writing.Route, dependencies=[READS]
)


@router.get("/me", name="me")
async def me(asker: Asker, on: On) -> wire.Me:
    """Who the token belongs to."""
    token = await on.people.token(asker.token_id)
    return wire.Me(person=asker.person, role=asker.role.value, token=shapes.token(token))


@router.get("/people", name="people.list")
async def list_people(on: On) -> wire.Page[wire.Person]:
    return wire.Page(items=tuple(shapes.person(found) for found in await on.people.list()))


@router.post("/people", name="person.add", status_code=201)
async def add(body: wire.AddPerson, asker: Asker, on: On) -> wire.Person:
    asker.must(Action.CHANGE_PEOPLE)
    return shapes.person(await on.people.add(body.name, Role(body.role), body.emails))


@router.patch("/people/{person}", name="person.change")
async def change(person: str, body: wire.ChangePerson, asker: Asker, on: On) -> wire.Person:
    """Change a role or the addresses of somebody's commits."""
    asker.must(Action.CHANGE_PEOPLE)
    if body.role:
        await on.people.set_role(person, Role(body.role))
    if body.emails is not None:
        await on.people.set_emails(person, body.emails)
    return shapes.person(await on.people.get(person))


@router.delete("/people/{person}", name="person.remove")
async def remove(person: str, asker: Asker, on: On) -> wire.Said:
    asker.must(Action.CHANGE_PEOPLE)
    await on.people.remove(person)
    return wire.Said(sentence=f"{person} is removed, with all tokens.")


@router.get("/people/{person}/tokens", name="tokens.list")
async def list_tokens(person: str, asker: Asker, on: On) -> wire.Page[wire.Token]:
    _must_be(person, asker)
    await on.people.get(person)
    return wire.Page(items=tuple(shapes.token(found) for found in await on.people.tokens(person)))


@router.post("/people/{person}/tokens", name="token.issue", status_code=201, tags=[writing.UNTOLD])
async def issue(person: str, body: wire.IssueToken, asker: Asker, on: On) -> wire.IssuedToken:
    """Issue a token: for oneself, or as an owner for anybody. It is told only here."""
    _must_be(person, asker)
    expires = None
    if body.expires_days is not None:
        expires = clock.now() + datetime.timedelta(days=body.expires_days)
    token, plain = await on.people.issue_token(person, body.name, expires)
    return wire.IssuedToken(**shapes.token(token).model_dump(), plain=plain)


@router.delete("/people/{person}/tokens/{token}", name="token.revoke")
async def revoke(person: str, token: str, asker: Asker, on: On) -> wire.Said:
    _must_be(person, asker)
    await on.people.revoke(person, token)
    return wire.Said(sentence=f"Token {token} of {person} is revoked.")


@router.get("/audit", name="audit")
async def audit(
    asker: Asker, on: On, limit: paging.Limit = 50, after: paging.After = ""
) -> wire.Page[wire.AuditEntry]:
    """The trail, the newest first."""
    asker.must(Action.READ_AUDIT)
    found = await on.audit.list(limit=limit + 1, before=paging.number(after))
    entries = [
        wire.AuditEntry(
            id=entry.id,
            at=entry.at,
            who=entry.who,
            what=entry.what,
            target=entry.target,
            detail=dict(entry.detail),
        )
        for entry in found
    ]
    return paging.page(entries, limit, [str(entry.id) for entry in found])


def _must_be(person: str, asker: Caller) -> None:
    """Everybody looks after their own tokens."""
    if person != asker.person:
        asker.must(Action.CHANGE_PEOPLE)
