"""What every write does besides its own work: it acts once for each key, and leaves a trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import fastapi
import fastapi.routing
from starlette.responses import Response

from shipway.access.answers import Answer
from shipway.access.model import Caller
from shipway.api import asking
from shipway.kit import errors

UNTOLD = "untold"
"""The tag of routes whose answer holds a secret, which is not kept to be told again."""

HIDDEN = frozenset({"value", "target", "password", "current", "secret"})
"""Fields of requests that the trail does not show."""

LONGEST_KEY = 200


class Route(fastapi.routing.APIRoute):
    """A route of the API. Its name is what the audit trail calls the deed."""

    def get_route_handler(
        self,
    ) -> Callable[[fastapi.Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        if not (self.methods or set()) - {"GET", "HEAD"}:
            return answer

        async def write(request: fastapi.Request) -> Response:
            return await self._once(request, answer)

        return write

    async def _once(
        self,
        request: fastapi.Request,
        answer: Callable[[fastapi.Request], Coroutine[Any, Any, Response]],
    ) -> Response:
        who = await asking.caller(request)
        _check_text(await request.body())
        key = request.headers.get("idempotency-key", "")[:LONGEST_KEY]
        if not key:
            return await self._recorded(request, who, answer)
        kept = asking.platform(request).answers
        if (found := await kept.begin(who.person, key, await _digest(request))) is not None:
            return self._again(found)
        try:
            response = await self._recorded(request, who, answer)
        except BaseException:
            await kept.drop(who.person, key)
            raise
        body = None if UNTOLD in self.tags else bytes(response.body)
        await kept.keep(who.person, key, Answer(response.status_code, body))
        return response

    async def _recorded(
        self,
        request: fastapi.Request,
        who: Caller,
        answer: Callable[[fastapi.Request], Coroutine[Any, Any, Response]],
    ) -> Response:
        """Record the attempt before it is made, and why it did not succeed after it."""
        trail = asking.platform(request).audit
        target, detail = await _about(request)
        await trail.record(who.person, self.name, target, detail)
        try:
            return await answer(request)
        except errors.ShipwayError as error:
            await trail.record(who.person, f"{self.name}.refused", target, {"why": str(error)})
            raise

    def _again(self, found: Answer) -> Response:
        if found.body is None:
            raise errors.Conflict(
                "This was done and answered before, with a secret that is told only once.",
                fix="Remove what was made, and ask again.",
            )
        headers = {"idempotency-replayed": "true"}
        return Response(found.body, found.status, headers, media_type="application/json")


def _check_text(body: bytes) -> None:
    """Raise `errors.Invalid` for characters that JSON can spell and the database cannot keep."""
    if b"\\u" not in body:
        return
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise errors.Invalid("The request is not JSON, or holds half a character.") from error
    if b"\\u0000" in text:
        raise errors.Invalid("A zero byte is in the request.")


async def _digest(request: fastapi.Request) -> bytes:
    start = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(start.encode() + await request.body()).digest()


async def _about(request: fastapi.Request) -> tuple[str, dict[str, Any]]:
    """Return what a write is about, and its request without what is hidden."""
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        body = {}
    fields = body if isinstance(body, dict) else {}
    detail = {name: "***" if name in HIDDEN else value for name, value in fields.items()}
    parts = [str(value) for value in request.path_params.values()]
    if not parts and isinstance(fields.get("name"), str):
        parts = [fields["name"][:100]]
    kept = {_short(name): _short(value) for name, value in list(detail.items())[:20]}
    return _short("/".join(parts)), kept


def _short(value: Any) -> Any:
    """Return a value as the trail keeps it: numbers as they are, all else as a short text."""
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:500].encode(errors="replace").decode()
