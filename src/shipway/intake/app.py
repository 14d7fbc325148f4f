"""The ASGI application that serves web exports and over-the-air updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import IO, Any

from shipway.intake import assets, model, updates
from shipway.intake.exports import Exports
from shipway.intake.model import Found
from shipway.intake.updates import Updates
from shipway.kit import errors

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CHUNK = 256 * 1024
HEALTH = "/health"
EXPORTS = "x-shipway-exports"

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin-allow-popups",
}
"""On every answer. A content security policy is the app's own: only it knows whom it talks to."""


class Intake:
    """Answers from the exports, and the channel of updates, that the edge names."""

    def __init__(self, exports: Exports, of_updates: Updates) -> None:
        self._exports = exports
        self._updates = of_updates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(Request(scope), Answer(send))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._exports.open()
                await self._updates.open()
            else:
                await self._updates.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _answer(self, request: Request, answer: Answer) -> None:
        if request.method not in {"GET", "HEAD"}:
            await answer.say(405, "Only GET and HEAD are answered here.", {"allow": "GET, HEAD"})
            return
        if request.path.startswith(updates.PREFIX):
            await self._update(request, answer)
            return
        named = model.digests(request.header(EXPORTS))
        if not named:
            # The edge always names an export. Who comes without one is the edge itself, asking
            # after our health, or somebody who went round it.
            well = request.path == HEALTH and not request.header(EXPORTS)
            await answer.say(
                *((200, "ok") if well else (404, "Nothing is served at this address."))
            )
            return
        try:
            place = await self._find(named, request)
        except errors.ShipwayError as error:
            await answer.say(503, f"This page cannot be shown at the moment. {error.what}")
            return
        if place is None:
            await answer.say(404, "There is no such file.")
            return
        await self._send(place, request, answer)

    async def _update(self, request: Request, answer: Answer) -> None:
        found = await self._updates.answer(request.path, request.headers(updates.HEADERS))
        bodiless = request.method == "HEAD"
        if not isinstance(found, assets.Sending):
            await answer.whole(found.status, found.headers, b"" if bodiless else found.body)
            return
        pairs = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        if bodiless or found.path is None:
            await answer.whole(found.status, pairs, b"")
            return
        if found.data:
            await answer.start(found.status, pairs)
            await _send_data(found.data, found.begin, found.end, answer)
            return
        try:
            file = await asyncio.to_thread(found.path.open, "rb")
        except OSError:
            await answer.say(503, assets.AWAY)
            return
        with file:
            await answer.start(found.status, pairs)
            await _send_bytes(file, found.begin, found.end, answer)
        await answer.end()

    async def _find(self, named: tuple[str, ...], request: Request) -> tuple[str, Found] | None:
        path = request.path.lstrip("/")
        accepted = model.accepted_encodings(request.header("accept-encoding"))
        newest = await self._exports.get(named[0])
        if found := model.find(newest, path, accepted):
            return named[0], found
        if model.is_page(path):
            page = model.first_page(newest, accepted)
            return (named[0], page) if page else None
        # A page that is still open belongs to an older release and asks for that one's files.
        for digest in named[1:]:
            if found := model.find(await self._older(digest), path, accepted):
                return digest, found
        return None

    async def _older(self, digest: str) -> model.Export:
        """An older export that is gone must not take the newest down with it."""
        try:
            return await self._exports.get(digest)
        except errors.ShipwayError:
            return {}

    async def _send(self, place: tuple[str, Found], request: Request, answer: Answer) -> None:
        digest, found = place
        headers = _headers(found)
        if model.matches(request.header("if-none-match"), found.etag):
            await answer.begin(304, headers)
            await answer.end()
            return
        try:
            part = _part(request, found)
        except ValueError:
            beyond = {"content-range": f"bytes */{found.file.size}"}
            await answer.say(416, "The file is not that long.", beyond)
            return
        whole = part is None
        begin, end = part or (0, found.file.size)
        headers |= {"content-length": str(end - begin), "accept-ranges": "bytes"}
        if not whole:
            headers["content-range"] = f"bytes {begin}-{end - 1}/{found.file.size}"
        with await self._exports.file(digest, found.path) as file:
            await answer.begin(200 if whole else 206, headers)
            if request.method == "GET":
                await _send_bytes(file, begin, end, answer)
        await answer.end()


class Request:
    """What of a request matters here."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        # Decoded once by the server; it is a key to look up, never a path to open.
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    def header(self, name: str) -> str:
        """Return the values of a header, joined as RFC 9110 (5.3) has it."""
        key = name.encode()
        return ",".join(value.decode("latin-1") for at, value in self._headers if at == key)

    def headers(self, known: Mapping[bytes, str]) -> dict[str, str]:
        """Return those of the known headers that are there, each joined as `header` has it."""
        found: dict[str, str] = {}
        for name, value in self._headers:
            if (key := known.get(name)) is not None:
                text = value.decode("latin-1")
                found[key] = f"{found[key]},{text}" if key in found else text
        return found


class Answer:
    """Sends an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in {**SECURITY, **headers}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def start(self, status: int, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin an answer whose headers are complete."""
        message = {"type": "http.response.start", "status": status, "headers": pairs}
        await self._send(message)

    async def whole(self, status: int, pairs: Iterable[tuple[bytes, bytes]], data: bytes) -> None:
        await self.start(status, pairs)
        await self.end(data)

    async def more(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data})

    async def say(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        text = f"{sentence}\n".encode()
        own = {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(text)),
            "cache-control": "no-store",
        }
        await self.begin(status, {**own, **(headers or {})})
        await self.end(text)


def _headers(found: Found) -> dict[str, str]:
    headers = {
        "content-type": found.content_type,
        "etag": found.etag,
        "cache-control": found.cache_control,
        "vary": "accept-encoding",
    }
    return headers | ({"content-encoding": found.encoding} if found.encoding else {})


def _part(request: Request, found: Found) -> tuple[int, int] | None:
    """A part of what has changed meanwhile is of no use (RFC 9110, 13.1.5)."""
    unless_changed = request.header("if-range")
    if unless_changed and unless_changed != found.etag:
        return None
    return model.part(request.header("range"), found.file.size)


async def _send_data(data: bytes, begin: int, end: int, answer: Answer) -> None:
    """Send a part of what is in memory, piece by piece: a slow phone holds one piece, and not
    all of it."""
    for at in range(begin, end - CHUNK, CHUNK):
        await answer.more(data[at : at + CHUNK])
        begin = at + CHUNK
    await answer.end(data[begin:end])


async def _send_bytes(file: IO[bytes], begin: int, end: int, answer: Answer) -> None:
    await asyncio.to_thread(file.seek, begin)
    while begin < end:
        data = await asyncio.to_thread(file.read, min(CHUNK, end - begin))
        if not data:
            raise EOFError("The file is shorter than its index says.")
        begin += len(data)
        await answer.more(data)
