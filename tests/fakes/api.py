"""The API as the command line sees it: answers that a test lays out, requests that it can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pydantic

from shipway.cli import servers
from shipway.client import problems
from shipway.client.client import Client
from shipway.kit import errors

Reply = pydantic.BaseModel | errors.ShipwayError | tuple[pydantic.BaseModel, ...]
"""One answer, an error, or the lines of a stream."""


@dataclass
class Api:
    """Answers by method and path. What is not laid out is not found."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def on(self, what: str, reply: Reply) -> None:
        """Lay out an answer for ``GET /v1/apps`` and the like, whatever the query."""
        self.replies[what] = reply

    def client(self, server: servers.Server) -> Client:
        """Return a client whose every request comes here; as `session.connect` does."""
        client = Client(server.url, server.token)
        client._http = httpx2.AsyncClient(
            base_url=server.url,
            headers={"authorization": f"Bearer {server.token}"},
            transport=httpx2.MockTransport(self._answer),
        )
        return client

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        what = f"{request.method} {request.url.path}"
        body = _body(request)
        self.asked.append((what, body))
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        reply = self.replies.get(what, errors.NotFound(f"There is no {what}."))
        if isinstance(reply, tuple):
            lines = "".join(f"{one.model_dump_json()}\n" for one in reply)
            return httpx2.Response(200, text=lines)
        if isinstance(reply, errors.ShipwayError):
            problem = problems.problem_of(reply)
            return httpx2.Response(problem.status, text=problem.model_dump_json())
        return httpx2.Response(200, text=reply.model_dump_json())


def _body(request: httpx2.Request) -> Mapping[str, Any]:
    if request.headers.get("content-type") == "application/octet-stream":
        return {"bytes": len(request.content)}
    found: Mapping[str, Any] = (
        json.loads(request.content) if request.content else dict(request.url.params)
    )
    return found
