"""Pages as answers: HTML for people, CSV and JSON of each panel for programs."""

from __future__ import annotations

import base64
import csv
import datetime
import functools
import io
import json
import secrets
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import Response

from shipway.access.sessions import Session
from shipway.console import forms, marks, page
from shipway.console.door import Door
from shipway.console.page import Asked, Page, Rows, Shown
from shipway.kit import errors
from shipway.workflows.front import ApiPlatform

SESSION = "shipway_session"
SAID = "shipway_said"
SCOPE = "/console"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet calculate."""


@dataclass(frozen=True, kw_only=True)
class Console:
    """What every answer is made with."""

    on: ApiPlatform
    door: Door
    templates: jinja2.Environment
    pages: tuple[Page, ...] = field(default_factory=page.every)

    async def session(self, request: Request, *, change: bool = False) -> tuple[Session, str]:
        """Return whose browser this is, and the secret that it has from now on.

        Raises `errors.Unknown`.
        """
        secret = request.cookies.get(SESSION, "")
        if not secret:
            raise errors.Unknown("This needs a session.", fix="Sign in.")
        return await self.on.sessions.find(secret, change=change)

    def asked(self, request: Request, session: Session) -> Asked:
        return Asked(
            on=self.on,
            door=self.door,
            session=session,
            path={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
        )

    async def answer(
        self, request: Request, found: Page, session: Session, **more: Any
    ) -> Response:
        """Return a page, or the panel of it that is asked for in another form."""
        asked = self.asked(request, session)
        if panel := asked.query.get("panel"):
            return _panel(await found.show(asked), panel, asked.query.get("as", "json"))
        # Before the page is made: of what changes from here on, its events tell another mark.
        mark = await marks.of_path(self.on, asked.path)
        shown = await found.show(asked)
        return await self.html(
            request, found.template, session, shown, asked=asked, mark=mark, **more
        )

    async def html(
        self,
        request: Request,
        template: str,
        session: Session | None,
        shown: Shown,
        *,
        status: int = 200,
        asked: Asked | None = None,
        **more: Any,
    ) -> Response:
        context: dict[str, Any] = {
            "title": shown.title,
            "app": shown.app,
            "live": shown.live,
            "panels": shown.panels,
            "asked": asked,
            "session": session,
            "here": request.url.path,
            "full": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "menu": [one for one in self.pages if one.menu],
            "fill": page.filled,
            "openid": self.on.settings.oidc_name if self.on.openid else "",
            "again": functools.partial(page.again, asked.query if asked else {}),
            "apps": await self.on.apps.all() if session else [],
            "guard": (lambda: forms.guard(session.form_key)) if session else str,
            "fresh_key": lambda: secrets.token_urlsafe(16),
            "problem": None,
            "given": {},
            "told": None,
            "said": unsaid(request),
            **shown.facts,
            **more,
        }
        text = self.templates.get_template(template).render(context)
        response = Response(text, status, media_type="text/html; charset=utf-8")
        if context["said"]:
            response.delete_cookie(SAID, path=SCOPE)
        return response


def said(response: Response, sentence: str) -> None:
    """Have the next page begin with a sentence."""
    text = base64.urlsafe_b64encode(sentence[:1000].encode()).decode()
    response.set_cookie(SAID, text, max_age=60, path=SCOPE, httponly=True, samesite="lax")


def unsaid(request: Request) -> str:
    try:
        return base64.urlsafe_b64decode(request.cookies.get(SAID, "")).decode()
    except ValueError:
        return ""


def remember(request: Request, response: Response, secret: str) -> None:
    """Give the browser its session."""
    response.set_cookie(
        SESSION,
        secret,
        path=SCOPE,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _panel(shown: Shown, name: str, form: str) -> Response:
    rows = shown.panels.get(name)
    if rows is None:
        known = ", ".join(shown.panels) or "none"
        raise errors.NotFound(f"This page has no panel {name[:40]!r}.", fix=f"It has: {known}.")
    if form == "csv":
        return _file(table(rows), "text/csv; charset=utf-8", f"{name}.csv")
    if form != "json":
        raise errors.Invalid("A panel can be had as json or csv.")
    text = json.dumps([{k: _plain(v) for k, v in row.items()} for row in rows], default=str)
    return Response(text, media_type="application/json")


def _file(text: str, kind: str, name: str) -> Response:
    quoted = urllib.parse.quote(name)
    return Response(
        text, headers={"content-disposition": f"attachment; filename={quoted}"}, media_type=kind
    )


def table(rows: Rows) -> str:
    """Return rows as CSV; a text that a spreadsheet would calculate begins with an apostrophe."""
    written = io.StringIO()
    names = list(rows[0]) if rows else []
    lines = csv.writer(written)
    lines.writerow(names)
    lines.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> str:
    plain = _plain(value)
    text = "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain)
    return f"'{text}" if isinstance(plain, str) and text.startswith(_FORMULA) else text


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
