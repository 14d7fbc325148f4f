"""The API as an ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import metadata

import fastapi
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipway.api import (
    apps,
    bundles,
    databases,
    environments,
    git,
    housekeeping,
    notifications,
    people,
    pushes,
    refusing,
    releases,
    runs,
    schema,
    sessions,
    status,
    updates,
)
from shipway.builds import records
from shipway.kit import errors, log
from shipway.kit.notices import CHANGES, Notices
from shipway.updates import records as update_records
from shipway.workflows.front import ApiPlatform

LARGEST_REQUEST = 1024 * 1024
LARGEST_FACTS = 16 * 1024 * 1024
"""Bytes of a JSON request, and of what a hook tells; a git push is bounded by git, and a bundle
where it is taken in."""

_log = log.get("api")


def create(platform: ApiPlatform) -> fastapi.FastAPI:
    """Return the application. Its lifespan listens for notices; the platform is opened before."""
    channels = (records.CHANNEL, releases.CHANNEL, update_records.CHANNEL, CHANGES)
    notices = Notices(platform.database, *channels)
    app = fastapi.FastAPI(
        title="Shipway",
        version=metadata.version("shipway"),
        summary="From git push to production for an app, its API server and its database.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.platform = platform
    app.state.notices = notices
    app.state.pushing = pushes.Pushing(platform, notices)
    refusing.install(app)
    for context in (
        status,
        people,
        sessions,
        apps,
        runs,
        releases,
        environments,
        schema,
        notifications,
        housekeeping,
        pushes,
        updates,
        bundles,
        databases,
    ):
        app.include_router(context.router)
    app.include_router(status.open_router)
    app.mount("/git", git.Remote(platform, app.state.pushing))
    app.add_middleware(Bounded)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
    async with app.state.notices.listening(), app.state.pushing.open():
        yield


class Bounded:
    """Refuses requests that are too large to be honest, and zero bytes, which no text may hold."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/git/"):
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            error = errors.Invalid("A zero byte is in the address.")
            await refusing.answer(error)(scope, receive, send)
            return
        if bundles.takes(scope):
            await self._app(scope, receive, send)
            return
        size = 0
        most = LARGEST_FACTS if scope["path"].startswith("/internal/") else LARGEST_REQUEST

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise errors.Invalid(f"A request has at most {most} bytes.")
            return message

        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, bounded, send)
