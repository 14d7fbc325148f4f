"""A small OpenID provider: it signs in whoever the test says, without a question."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shipway.api import serving

CLIENT = "shipway"
SECRET = "a secret: with + signs"


def _key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4)})


@dataclass
class Provider:
    """``claims`` are told of whoever comes; ``key`` signs, ``known`` is what it says it signs with.

    With ``refusal`` it sends everybody back with that error.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    key: ECKey = field(default_factory=_key)
    known: list[ECKey] = field(default_factory=list)
    refusal: str = ""
    issuer: str = ""
    methods: tuple[str, ...] = ("client_secret_basic",)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    async def about(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint_auth_methods_supported": list(self.methods),
            }
        )

    async def keys(self, _: Request) -> Response:
        shown = self.known or [self.key]
        return JSONResponse({"keys": [key.as_dict(private=False) for key in shown]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert "openid" in asked["scope"].split()
        answer = {"state": asked["state"], "error": self.refusal}
        if not self.refusal:
            code = secrets.token_urlsafe(9)
            self.codes[code] = asked
            answer = {"state": asked["state"], "code": code}
        return RedirectResponse(f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}")

    async def token(self, request: Request) -> Response:
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        asked = self.codes.pop(given.get("code", ""), None)
        if asked is None or not self._is_theirs(request, given, asked):
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "42", "nonce": asked["nonce"],
            "iat": int(time.time()), "exp": int(time.time()) + 300, **self.claims,
        }  # fmt: skip
        header = {"alg": "ES256", "kid": str(self.key.kid)}
        token = jwt.encode(header, claims, self.key, algorithms=["ES256"])
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _is_theirs(
        self, request: Request, given: Mapping[str, str], asked: Mapping[str, str]
    ) -> bool:
        """Say whether the one that asks is the one that sent the browser (PKCE, and its secret)."""
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pair = ":".join(urllib.parse.quote_plus(part) for part in (CLIENT, SECRET))
        basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
        shown = (
            request.headers.get("authorization") == basic
            if "client_secret_basic" in self.methods
            else given.get("client_secret") == SECRET
        )
        return (
            shown
            and challenge == asked["code_challenge"]
            and given["redirect_uri"] == asked["redirect_uri"]
        )


@contextlib.asynccontextmanager
async def served(provider: Provider) -> AsyncIterator[Provider]:
    """Serve it on a free port until the block ends."""
    routes = [
        Route("/.well-known/openid-configuration", provider.about),
        Route("/keys", provider.keys),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    listener = serving.tcp(0)
    provider.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not task.done(), task.result()
        yield provider
    finally:
        server.should_exit = True
        await task
        listener.close()
