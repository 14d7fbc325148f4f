"""The way from the console to the API: within the process, as the person who is signed in.

Nothing is decided here: who may do what, what is recorded and what is said is the API's own.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message

from shipway.access.model import Caller
from shipway.client import problems


class Door:
    """Asks the API. Raises what it raises."""

    def __init__(self, api: ASGIApp) -> None:
        self._api = api

    async def ask(
        self,
        method: str,
        path: str,
        caller: Caller,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
    ) -> dict[str, Any]:
        """Return the answer's JSON. A write with a ``key`` that was used already is not done again:
        its first answer is told."""
        data = b"" if body is None else json.dumps(dict(body)).encode()
        address, _, query = path.partition("?")
        headers = [(b"host", b"console"), (b"content-type", b"application/json")]
        if key:
            headers.append((b"idempotency-key", key.encode("ascii", "replace")))
        answer = _Answer(data)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": urllib.parse.unquote(address),
            "raw_path": address.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": None,
            "server": None,
            # The API asks no further for a token: a request from outside cannot say this.
            "state": {"caller": caller},
        }
        await self._api(scope, answer.receive, answer.send)
        if answer.status >= 400:
            raise problems.error_of(answer.status, answer.body.decode(errors="replace"))
        found: dict[str, Any] = json.loads(answer.body or b"{}")
        return found


class _Answer:
    """One request's body, and what is answered to it."""

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self._ended = asyncio.Event()
        self.status = 500
        self.body = b""

    async def receive(self) -> Message:
        if self._data is None:
            await self._ended.wait()
            return {"type": "http.disconnect"}
        data, self._data = self._data, None
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                self._ended.set()
