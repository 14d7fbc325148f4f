"""Coming in by an OpenID provider: OpenID Connect Core 1.0, §3.1, with PKCE (RFC 7636).

Authlib makes the requests and judges the claims, joserfc the signatures.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from shipway.access.model import Person
from shipway.kit import errors, http

DISCOVERY = "/.well-known/openid-configuration"
FRESH_SECONDS = 3600.0
"""What a provider tells of itself is asked for again after so long."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that only the provider has."""
EMAIL = "email"


class Accounts(Protocol):
    """Where accounts are found (`people.People`)."""

    async def get(self, name: str, /) -> Person: ...

    async def by_emails(self, emails: Sequence[str], /) -> frozenset[str]: ...


@dataclass(frozen=True, kw_only=True)
class Trip:
    """A browser on its way to the provider and back. ``state`` tells which it was; ``nonce`` and
    ``verifier`` tell that the answer is to this one."""

    address: str
    back: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a provider tells of itself."""

    authorize: str
    token: str
    keys: str
    methods: Sequence[str]
    at: float


class OpenId:
    """One provider. Accounts are made here; the provider says only who somebody is: by an address
    that it has verified, or by a claim that holds an account's name."""

    def __init__(
        self, accounts: Accounts, *, issuer: str, client_id: str, secret: str, claim: str
    ) -> None:
        self._accounts = accounts
        self._issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._claim = claim
        self._about: About | None = None
        self._turn = asyncio.Lock()

    async def begin(self, back: str) -> Trip:
        """Return where to send a browser that is to come ``back``. Raises `errors.Unavailable`."""
        about = await self._known()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address = prepare_grant_uri(
            about.authorize,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=back,
            scope="openid email profile",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Trip(address=address, back=back, state=state, nonce=nonce, verifier=verifier)

    async def finish(self, trip: Trip, answer: Mapping[str, str]) -> str:
        """Return the account of whoever the provider sent back with ``answer``.

        Raises `errors.Denied` when it says no, when what it says does not hold, or when it is
        nobody with an account; `errors.Unavailable` when it does not answer.
        """
        if "code" not in answer:
            said = answer.get("error_description") or answer.get("error") or "nothing"
            raise errors.Denied(f"The provider did not sign you in. It said: {said[:200]}.")
        about = await self._known()
        told = await self._asked(about.token, self._token_request(trip, answer["code"], about))
        return await self._account(await self._claims(about, told, trip))

    # What the provider is asked

    async def _known(self) -> About:
        async with self._turn:
            if self._about is None or time.monotonic() - self._about.at > FRESH_SECONDS:
                self._about = await self._discover()
            return self._about

    async def _discover(self) -> About:
        told = await self._asked(self._issuer.rstrip("/") + DISCOVERY)
        if told.get("issuer") != self._issuer:
            raise errors.Unavailable(
                f"The provider calls itself {str(told.get('issuer'))[:200]!r}.",
                fix="`oidc_issuer` in settings.toml must be the same to the letter.",
            )
        try:
            return About(
                authorize=told["authorization_endpoint"],
                token=told["token_endpoint"],
                keys=told["jwks_uri"],
                methods=told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]),
                at=time.monotonic(),
            )
        except KeyError as error:
            raise errors.Unavailable(
                f"The provider's description lacks {error.args[0]}."
            ) from error

    def _token_request(self, trip: Trip, code: str, about: About) -> httpx2.Request:
        fields = {"code": code, "code_verifier": trip.verifier, "client_id": self._client_id}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._secret and "client_secret_basic" in about.methods:
            headers["authorization"] = _basic(self._client_id, self._secret)
        elif self._secret:
            fields["client_secret"] = self._secret
        body = prepare_token_request("authorization_code", redirect_uri=trip.back, **fields)
        return httpx2.Request("POST", about.token, headers=headers, content=body)

    async def _asked(self, url: str, request: httpx2.Request | None = None) -> dict[str, Any]:
        """Return the JSON of an answer."""
        try:
            async with http.client(base_url=url) as client:
                answer = await client.send(request or client.build_request("GET", url))
                answer.raise_for_status()
                found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise errors.Unavailable(
                f"The OpenID provider does not answer well at {urllib.parse.urlsplit(url).netloc}:"
                f" {str(error) or type(error).__name__}.",
                fix="Sign in by a password or a link meanwhile.",
            ) from error
        return found if isinstance(found, dict) else {}

    # What its answer is worth

    async def _claims(self, about: About, told: Mapping[str, Any], trip: Trip) -> Mapping[str, Any]:
        keys = await self._asked(about.keys)
        options = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        try:
            token = jwt.decode(
                str(told.get("id_token", "")),
                KeySet.import_key_set(cast("KeySetSerialization", keys)),
                algorithms=SIGNED_BY,
            )
            claims = CodeIDToken(
                token.claims,
                token.header,
                options,
                {
                    "nonce": trip.nonce,
                    "client_id": self._client_id,
                    "access_token": told.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise errors.Denied(
                f"What the provider said of you does not hold: {type(error).__name__}: {error}."
            ) from error
        return dict(claims)

    async def _account(self, claims: Mapping[str, Any]) -> str:
        said = str(claims.get(self._claim) or "")
        if not said:
            raise errors.Denied(f"The provider told no {self._claim} of you.")
        if self._claim == EMAIL:
            return await self._by_email(said, verified=claims.get("email_verified"))
        try:
            return (await self._accounts.get(said)).name
        except errors.NotFound as error:
            raise _nobody(said) from error

    async def _by_email(self, email: str, *, verified: object) -> str:
        if verified not in {True, "true"}:
            raise errors.Denied(
                f"The provider has not verified that {email} is yours.",
                fix="Where it never does, `oidc_claim` can name another claim.",
            )
        found = await self._accounts.by_emails([email])
        if len(found) > 1:
            raise errors.Denied(f"More than one account has the address {email}.")
        if not found:
            raise _nobody(email)
        return next(iter(found))


def _nobody(said: str) -> errors.Denied:
    return errors.Denied(
        f"There is no account for {said[:200]} here.",
        fix="An owner adds one, or the address to yours.",
    )


def _basic(name: str, secret: str) -> str:
    """Return both as RFC 6749, §2.3.1 wants them: encoded as in a form first."""
    pair = ":".join(urllib.parse.quote_plus(part) for part in (name, secret))
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
