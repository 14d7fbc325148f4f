"""The console as an ASGI application, to be mounted beside the API."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable

import fastapi
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipway.console import assets, doing, finding, forms, openid, public, raw, rendering, showing
from shipway.console.door import Door
from shipway.console.entering import Entrance
from shipway.console.live import Live
from shipway.console.page import Page, Shown
from shipway.console.showing import Console
from shipway.kit import errors, ids, log
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing written into a page can run, and no other site can frame it."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

_log = log.get("console")

Endpoint = Callable[[Request], Awaitable[Response]]


def create(platform: ApiPlatform, notices: Notices, api: ASGIApp) -> ASGIApp:
    """Return the console. What it does it has ``api`` do."""
    console = Console(on=platform, door=Door(api), templates=rendering.environment())
    entrance, live = Entrance(console), Live(console, notices)
    ways = openid.Ways(console, entrance)
    if not assets.address("console.js"):
        _log.warning("console.no_script", why="it was not built: nothing moves by itself")

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.ShipwayError)
        return await _trouble(console, entrance, request, error)

    async def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = errors.NotFound if error.status_code == 404 else errors.Invalid
        return await _trouble(console, entrance, request, kind(f"{error.detail}."))

    async def broken(request: Request, error: Exception) -> Response:
        name = ids.new("bug")
        _log.error("console.broke", bug=name, path=request.url.path, exc_info=error)
        failed = errors.Failed(
            f"The console broke on this ({name}).", fix="The API's log says more."
        )
        return await _trouble(console, entrance, request, failed)

    routes = [
        Route("/assets/{name}", assets.serve),
        Route("/sign-in", entrance.form, methods=["GET"]),
        Route("/sign-in", entrance.by_password, methods=["POST"]),
        Route("/sign-out", entrance.leave, methods=["POST"]),
        Route("/enter/{code}", entrance.link, methods=["GET"]),
        Route("/enter/{code}", entrance.by_link, methods=["POST"]),
        Route("/openid", ways.go, methods=["POST"]),
        Route("/openid/back", ways.back),
        Route("/places", functools.partial(finding.places, console)),
        Route("/apps/{app}/runs/{run}/log", functools.partial(raw.log, console)),
        Route("/status/{app}", public.StatusPages(console).show),
        *live.routes(),
        *(
            Route(page.path, _endpoint(console, entrance, page), methods=["GET", "POST"])
            for page in console.pages
        ),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guarded), Middleware(GZipMiddleware, minimum_size=1000)],
        exception_handlers={
            errors.ShipwayError: known,
            HTTPException: by_status,
            Exception: broken,
        },
    )


def _endpoint(console: Console, entrance: Entrance, page: Page) -> Endpoint:
    async def answer(request: Request) -> Response:
        if request.method == "POST":
            return await post(request)
        session, secret = await console.session(request, change=True)
        response = await console.answer(request, page, session)
        if secret != request.cookies.get(showing.SESSION):
            showing.remember(request, response, secret)
        return response

    async def post(request: Request) -> Response:
        forms.must_come_from_here(request)
        given = await forms.fields(request)
        try:
            session, _ = await console.session(request)
        except errors.Unknown as error:
            return await entrance.ask(request, problem=error, kept=given, then=request.url.path)
        return await doing.act(console, request, page, session, given)

    return answer


async def _trouble(
    console: Console, entrance: Entrance, request: Request, error: errors.ShipwayError
) -> Response:
    """Show what is wrong, and to strangers the way in."""
    if isinstance(error, errors.Unknown):
        if request.method == "GET" and "panel" not in request.query_params:
            return await entrance.ask(request, then=str(request.url.path))
        return Response(str(error), error.status, media_type="text/plain")
    session = None
    with contextlib.suppress(errors.ShipwayError):
        session, _ = await console.session(request)
    shown = Shown(title="That did not work")
    try:
        return await console.html(
            request, "trouble.html", session, shown, status=error.status, problem=error
        )
    except errors.Unavailable:
        return await console.html(
            request, "trouble.html", None, shown, status=error.status, problem=error
        )


class Guarded:
    """Adds what browsers are told about every page, and lets nothing of a session be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, receive, guarded)


def install(api: fastapi.FastAPI, platform: ApiPlatform) -> None:
    """Serve the console beside an API, which does what is asked for on its pages."""
    api.mount(showing.SCOPE, create(platform, api.state.notices, api))
    api.add_route("/", home)


async def home(_: Request) -> Response:
    """Whoever opens the server's address comes to the console."""
    return RedirectResponse(f"{showing.SCOPE}/")
