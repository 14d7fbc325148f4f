"""Signing in by an OpenID provider: the browser goes there, and comes back with an answer."""

from __future__ import annotations

import collections
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shipway.console import forms, showing
from shipway.console.entering import Entrance, inside
from shipway.console.page import Shown
from shipway.console.showing import Console
from shipway.kit import errors
from shipway.workflows.front import OpenId, Trip

PATH = f"{showing.SCOPE}/openid"
COOKIE = "shipway_trip"
LONGEST_SECONDS = 600
"""A browser that comes back later begins anew."""
NOBODY = "nobody"
LONGEST_KEPT = 100_000
"""Characters of a form that waits in memory; a variable has at most 64 KiB."""
MOST = 200
"""So many may be under way at once; the oldest are forgotten."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A trip, whose browser it is, and what its person wanted: a page, or a form that they sent."""

    trip: Trip
    browser: str
    then: str
    kept: Mapping[str, str]
    begun: float


class Ways:
    """The pages by which people go to the provider and come back, each way used once."""

    def __init__(self, console: Console, entrance: Entrance) -> None:
        self._console = console
        self._entrance = entrance
        self._under_way: collections.OrderedDict[str, Way] = collections.OrderedDict()

    async def go(self, request: Request) -> Response:
        """Send the browser off. The page that does it is our own: forms lead nowhere else."""
        given = await forms.fields(request)
        kept, then = forms.kept(given.get("kept", "")), inside(given.get("then", ""))
        try:
            forms.must_come_from_here(request)
            self._entrance.count(request)
            if len(given.get("kept", "")) > LONGEST_KEPT:
                raise errors.Invalid("This form is too long to wait for your return.")
            trip = await self._provider().begin(_back(request))
        except errors.ShipwayError as error:
            return await self._entrance.ask(request, problem=error, kept=kept, then=then)
        browser = secrets.token_urlsafe(32)
        self._keep(Way(trip=trip, browser=browser, then=then, kept=kept, begun=time.monotonic()))
        shown = Shown(title="Signing in", facts={"address": trip.address})
        response = await self._console.html(request, "leaving.html", None, shown)
        response.set_cookie(
            COOKIE,
            browser,
            path=PATH,
            max_age=LONGEST_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def back(self, request: Request) -> Response:
        """Sign in whoever the provider says it is."""
        then, kept = "", {}
        try:
            self._entrance.count(request)
            way = self._way(request)
            then, kept = way.then, dict(way.kept)
            person = await self._provider().finish(way.trip, dict(request.query_params))
        except errors.ShipwayError as error:
            if isinstance(error, errors.Denied):
                refused = {"by": "openid", "why": error.what}
                await self._entrance.record(NOBODY, "session.refused", request, refused)
            return await self._entrance.ask(request, problem=error, kept=kept, then=then)
        response = await self._entrance.welcome(request, person, "openid", then, kept)
        response.delete_cookie(COOKIE, path=PATH)
        return response

    def _provider(self) -> OpenId:
        if self._console.on.openid is None:
            raise errors.NotFound("This Shipway has no OpenID provider.")
        return self._console.on.openid

    def _keep(self, way: Way) -> None:
        self._under_way[way.trip.state] = way
        while len(self._under_way) > MOST:
            self._under_way.popitem(last=False)

    def _way(self, request: Request) -> Way:
        """Return the way that this browser is on, which nobody can use again."""
        way = self._under_way.get(request.query_params.get("state", ""))
        browser = request.cookies.get(COOKIE, "")
        if way is None or not hmac.compare_digest(way.browser.encode(), browser.encode()):
            raise errors.Denied("This browser is not on its way here.", fix="Sign in again.")
        del self._under_way[way.trip.state]
        if time.monotonic() - way.begun > LONGEST_SECONDS:
            raise errors.Denied("That took too long.", fix="Sign in again.")
        return way


def _back(request: Request) -> str:
    """Return the address that the provider sends the browser to: this server's, as it was asked."""
    return f"{request.url.scheme}://{request.url.netloc}{PATH}/back"
