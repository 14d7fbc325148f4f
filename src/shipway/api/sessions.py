"""How people come into the console: one-time links, passwords, sessions."""

from __future__ import annotations

import fastapi

from shipway.access.model import Action, Caller
from shipway.api import writing
from shipway.api.asking import READS, Asker, On
from shipway.client import sessions_wire, wire
from shipway.kit import errors

router = fastapi.APIRouter(
    prefix="/v1/people/{person}",
    tags=["sessions"],
    route_class=writing.Route,
    dependencies=[READS],
)


@router.post("/links", name="link.make", status_code=201, tags=[writing.UNTOLD])
async def make_link(person: str, asker: Asker, on: On) -> sessions_wire.Link:
    """Make a link that signs in to the console once: for oneself, or as an owner for anybody."""
    _must_be(person, asker)
    await on.people.get(person)
    code, expires = await on.sessions.make_link(person)
    return sessions_wire.Link(path=f"/console/enter/{code}", expires=expires)


@router.put("/password", name="password.set")
async def set_password(
    person: str, body: sessions_wire.SetPassword, asker: Asker, on: On
) -> wire.Said:
    """Set one's own password for the console, which ends one's other sessions."""
    _must_be_oneself(person, asker)
    await on.passwords.set(person, body.password, current=body.current)
    await on.sessions.end_others(person, asker.token_id)
    return wire.Said(sentence="The password is set. Your other sessions are over.")


@router.get("/sessions", name="sessions.list")
async def list_sessions(person: str, asker: Asker, on: On) -> wire.Page[sessions_wire.Session]:
    _must_be(person, asker)
    await on.people.get(person)
    found = [
        sessions_wire.Session(id=one.id, about=one.about, created=one.created, seen=one.seen)
        for one in await on.sessions.of(person)
    ]
    return wire.Page(items=tuple(found))


@router.delete("/sessions/{session}", name="session.end")
async def end_session(person: str, session: str, asker: Asker, on: On) -> wire.Said:
    _must_be(person, asker)
    await on.sessions.end(person, session)
    return wire.Said(sentence=f"The session {session} of {person} is over.")


def _must_be(person: str, asker: Caller) -> None:
    if person != asker.person:
        asker.must(Action.CHANGE_PEOPLE)


def _must_be_oneself(person: str, asker: Caller) -> None:
    if person != asker.person:
        raise errors.Denied(f"Only {person} sets the password of {person}.")
