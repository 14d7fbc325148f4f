"""Coming in and going out: by password, by a link that works once, and after a session ended."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shipway.console import forms, showing
from shipway.console.limits import Limit
from shipway.console.page import Shown
from shipway.console.showing import Console
from shipway.kit import errors

HOME = f"{showing.SCOPE}/"
LONGEST_NAME = 40


class Entrance:
    """The sign-in pages. Tries are limited by address and by name, and each is on the trail."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._by_address = Limit(30, 300)
        self._by_name = Limit(8, 300)

    async def ask(
        self,
        request: Request,
        *,
        problem: errors.ShipwayError | None = None,
        kept: Mapping[str, str] | None = None,
        then: str = "",
    ) -> Response:
        """Show the sign-in page. ``kept`` is a form that was sent when the session was over."""
        return await self._console.html(
            request,
            "sign_in.html",
            None,
            Shown(title="Sign in"),
            status=problem.status if problem else 401 if then else 200,
            problem=problem,
            then=then or inside(request.query_params.get("then", "")),
            kept=forms.keep(kept) if kept else "",
        )

    async def form(self, request: Request) -> Response:
        return await self.ask(request)

    async def by_password(self, request: Request) -> Response:
        """Sign in, and go where the person wanted to be."""
        given = await forms.fields(request)
        kept, then = forms.kept(given.get("kept", "")), inside(given.get("then", ""))
        try:
            forms.must_come_from_here(request)
            person = await self._person(request, given)
        except errors.ShipwayError as error:
            return await self.ask(request, problem=error, kept=kept, then=then)
        return await self.welcome(request, person, "password", then, kept)

    async def _person(self, request: Request, given: Mapping[str, str]) -> str:
        name = given.get("person", "").strip()[:LONGEST_NAME].replace("\0", "")
        self.count(request)
        self._by_name.count(name)
        if not await self._console.on.passwords.fits(name, given.get("password", "")):
            await self.record(name, "session.refused", request, {"by": "password"})
            raise errors.Denied("This name and password do not belong together.")
        self._by_name.forget(name)
        return name

    async def link(self, request: Request) -> Response:
        """Show whose link this is. It is used by the button alone: programs that look at links
        before people do would use it up."""
        try:
            self.count(request)
            person = await self._console.on.sessions.whose_link(request.path_params["code"])
        except errors.ShipwayError as error:
            return await self.ask(request, problem=error)
        shown = Shown(title=f"Sign in as {person}", facts={"person": person})
        return await self._console.html(request, "enter.html", None, shown)

    async def by_link(self, request: Request) -> Response:
        try:
            forms.must_come_from_here(request)
            self.count(request)
            person = await self._console.on.sessions.use_link(request.path_params["code"])
        except errors.ShipwayError as error:
            return await self.ask(request, problem=error)
        return await self.welcome(request, person, "link", HOME, {})

    async def leave(self, request: Request) -> Response:
        """End this session."""
        given = await forms.fields(request)
        session, _ = await self._console.session(request)
        forms.must_be_ours(session.form_key, given.get(forms.GUARD, ""))
        await self.record(session.person, "session.end", request, {})
        await self._console.on.sessions.end(session.person, session.id)
        response = RedirectResponse(f"{HOME}sign-in", 303)
        response.delete_cookie(showing.SESSION, path=showing.SCOPE)
        showing.said(response, "You are signed out.")
        return response

    async def welcome(
        self, request: Request, person: str, by: str, then: str, kept: Mapping[str, str]
    ) -> Response:
        """Begin a session, and go where the person wanted to be, or ask whether the form that they
        had sent is to be sent now."""
        sessions = self._console.on.sessions
        if before := request.cookies.get(showing.SESSION):
            await self._end(before)
        secret = await sessions.begin(person, request.headers.get("user-agent", ""))
        await self.record(person, "session.begin", request, {"by": by})
        if not kept:
            response: Response = RedirectResponse(then or HOME, 303)
        else:
            session, _ = await sessions.find(secret)
            facts = {"kept": kept, "then": then or HOME}
            shown = Shown(title="Send it now?", facts=facts)
            response = await self._console.html(request, "again.html", session, shown)
        showing.remember(request, response, secret)
        return response

    async def _end(self, secret: str) -> None:
        try:
            before, _ = await self._console.on.sessions.find(secret)
        except errors.Unknown:
            return
        await self._console.on.sessions.end(before.person, before.id)

    def count(self, request: Request) -> None:
        """Count a try from an address. Raises `errors.Refused` when there were too many."""
        self._by_address.count(_address(request))

    async def record(
        self, who: str, what: str, request: Request, detail: Mapping[str, str]
    ) -> None:
        facts = {**detail, "address": _address(request)}
        await self._console.on.audit.record(who, what, who, facts)


def inside(path: str) -> str:
    """Return an address of the console, or "" for any other."""
    is_ours = path.startswith(HOME) and "\\" not in path and path.isprintable()
    return path if is_ours else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
