"""What moves: server-sent events that say when a page is to be asked for again, and log lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shipway.console import loglines, marks, sharing
from shipway.console.showing import Console
from shipway.kit import errors
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform

BEAT = 15.0
"""Seconds after which a quiet stream shows that it is alive, and asks whether it may go on."""
GATHER = 0.05
"""Seconds in which what happens together is told together."""
MOST = 500
"""Streams at once: each is a page that somebody looks at."""

_BEAT = ": beat\n\n"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

_Events = AsyncGenerator[str, None]
_Look = Callable[[ApiPlatform, str], Awaitable[str]]


class Live:
    """Streams of events. What changed is asked once for all streams of an app or run."""

    def __init__(self, console: Console, notices: Notices) -> None:
        self._console = console
        self._notices = notices
        self._looks: dict[tuple[_Look, str], asyncio.Task[str]] = {}
        self._open = 0

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/live/{app}", self.of_app),
            Route("/live/{app}/{run}", self.of_run),
        )

    async def of_app(self, request: Request) -> Response:
        """``changed`` with a mark whenever something of an app is another."""
        await self._console.session(request)
        app = request.path_params["app"]
        return self._stream(request, self._marks(marks.of_app, app))

    async def of_run(self, request: Request) -> Response:
        """``changed`` as above, and ``lines`` of the step that is looked at."""
        await self._console.session(request)
        run, step = request.path_params["run"], request.query_params.get("step", "")
        told = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return self._stream(request, self._lines(run, step, _place(told)))

    def _stream(self, request: Request, events: _Events) -> Response:
        if self._open >= MOST:
            raise errors.Unavailable("Too many pages are open at once.", fix="Reload it later.")
        return StreamingResponse(
            self._counted(self._guarded(request, events)),
            headers=_HEADERS,
            media_type="text/event-stream",
        )

    async def _counted(self, events: _Events) -> _Events:
        self._open += 1
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    yield event
        finally:
            self._open -= 1

    async def _guarded(self, request: Request, events: _Events) -> _Events:
        """Pass events on as long as the session lasts, which is looked at before each."""
        async with contextlib.aclosing(events):
            async for event in events:
                if not await self._may_go_on(request):
                    yield _event("over", "")
                    return
                yield event

    async def _marks(self, look: _Look, subject: str) -> _Events:
        """Tell the mark of now, and each one that follows."""
        told, quiet = "", Quiet()
        with self._notices.of_all() as notice:
            while not self._notices.closed:
                mark = await self._mark(look, subject)
                if mark != told:
                    told = mark
                    yield quiet.ended(_event("changed", mark))
                elif quiet.is_long:
                    yield quiet.ended(_BEAT)
                await notice.wait(BEAT)

    async def _lines(self, run: str, step: str, place: tuple[int, int]) -> _Events:
        """Tell the marks of a run, and the lines of a step from a place on."""
        offset, number = place
        told, quiet = "", Quiet()
        with self._notices.of_all() as notice:
            while not self._notices.closed:
                mark = await self._mark(marks.of_run, run)
                if mark != told:
                    told = mark
                    yield quiet.ended(_event("changed", mark))
                while step:
                    piece = await asyncio.to_thread(self._console.on.logs.tail, run, step, offset)
                    if not piece.lines:
                        break
                    numbered = list(enumerate(piece.lines, number + 1))
                    number, offset = number + len(piece.lines), piece.offset
                    lines = _event("lines", loglines.items(numbered), id=f"{offset}.{number}")
                    yield quiet.ended(lines)
                if quiet.is_long:
                    yield quiet.ended(_BEAT)
                await notice.wait(BEAT)

    async def _mark(self, look: _Look, subject: str) -> str:
        """Return what stands for the present state; those who ask at once share one look."""
        key = look, subject
        if key not in self._looks:
            self._looks[key] = asyncio.create_task(self._look(look, subject))
            self._looks[key].add_done_callback(sharing.heard)
        return await asyncio.shield(self._looks[key])

    async def _look(self, look: _Look, subject: str) -> str:
        try:
            await asyncio.sleep(GATHER)  # news that come together are told together
        finally:
            # Who asks from now on may know of something that this look does not see any more.
            del self._looks[look, subject]
        return await look(self._console.on, subject)

    async def _may_go_on(self, request: Request) -> bool:
        try:
            await self._console.session(request)
        except errors.Unknown:
            return False
        return True


class Quiet:
    """How long nothing was told."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    @property
    def is_long(self) -> bool:
        # A wait may end a little before its time.
        return time.monotonic() - self._since > BEAT * 0.9

    def ended(self, event: str) -> str:
        """Return an event that is told now."""
        self._since = time.monotonic()
        return event


def _place(told: str) -> tuple[int, int]:
    """Return how far into a log somebody has read: bytes and lines."""
    bytes_, _, lines = told.partition(".")
    if bytes_.isascii() and bytes_.isdigit() and lines.isascii() and lines.isdigit():
        return int(bytes_), int(lines)
    return 0, 0


def _event(name: str, data: str, *, id: str = "") -> str:  # noqa: A002 -- the protocol's word
    line = f"id: {id}\n" if id else ""
    return f"{line}event: {name}\ndata: {json.dumps(data)}\n\n"
