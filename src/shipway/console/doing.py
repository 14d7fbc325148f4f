"""Deeds: what a form asks for, done by the API as the person who is signed in."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shipway.access.sessions import Session
from shipway.console import forms, showing
from shipway.console.page import LONGEST_FIELD, Deed, Page, Shown, filled
from shipway.console.showing import Console
from shipway.kit import errors


async def act(
    console: Console, request: Request, page: Page, session: Session, given: Mapping[str, str]
) -> Response:
    """Do what a form asks for, and show what came of it: the page again, or what is wrong."""
    try:
        forms.must_be_ours(session.form_key, given.get(forms.GUARD, ""))
        deed = page.deed(given.get("deed", ""))
        fields = _fields(request, given)
        _must_be_sure(deed, fields, given)
        answer = await console.door.ask(
            deed.method,
            deed.address(fields),
            session.caller,
            deed.body(fields),
            key=given.get("key", ""),
        )
    except errors.ShipwayError as error:
        return await _again(console, request, page, session, error, given)
    if deed.tells:
        return await console.answer(request, page, session, told=answer)
    path = filled(deed.then, {**fields, **_texts(answer)}) if deed.then else ""
    response = RedirectResponse(f"{showing.SCOPE}{path}" if path else request.url.path, 303)
    showing.said(response, str(answer.get("sentence") or deed.said.format(**answer)))
    return response


def _texts(answer: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in answer.items() if isinstance(value, str)}


def _fields(request: Request, given: Mapping[str, str]) -> dict[str, str]:
    """Return what the form and the path say; the path wins."""
    of_form = {
        name: value.replace("\r\n", "\n")[:LONGEST_FIELD]
        for name, value in given.items()
        if name not in forms.OWN
    }
    return of_form | {name: str(value) for name, value in request.path_params.items()}


def _must_be_sure(deed: Deed, fields: Mapping[str, str], given: Mapping[str, str]) -> None:
    if deed.sure and given.get("sure", "").strip() != fields.get(deed.sure, ""):
        raise errors.Refused(
            f"{given.get('sure', '')[:80]!r} is not {fields.get(deed.sure, '')}, so nothing was done.",
            fix="Type the name to say that you mean it.",
        )


async def _again(
    console: Console,
    request: Request,
    page: Page,
    session: Session,
    error: errors.ShipwayError,
    given: Mapping[str, str],
) -> Response:
    """Show the page with what is wrong. Where the page itself fails, that alone."""
    try:
        return await console.answer(
            request, page, session, problem=error, given=given, status=error.status
        )
    except errors.ShipwayError as other:
        return await console.html(
            request,
            "trouble.html",
            session,
            Shown(title="That did not work"),
            status=other.status,
            problem=error,
        )
