"""What keeps other sites from sending our forms, and a form for the moment after signing in."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import urllib.parse
from collections.abc import Mapping

from starlette.requests import Request

from shipway.kit import errors

GUARD = "form_key"
"""The field of each form that only our own pages can fill in."""

OWN = frozenset({GUARD, "deed", "key", "sure"})
"""Fields that are the console's, and not the deed's."""

MOST_FIELDS = 40


def guard(key: str) -> str:
    """Return the key as a form carries it: another text each time, so that compressing a page
    tells nothing of it."""
    plain = key.encode()
    pad = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(pad + _xor(pad, plain)).decode()


def must_be_ours(key: str, given: str) -> None:
    """Raise `errors.Denied` unless a form was made for the session with this key."""
    try:
        data = base64.urlsafe_b64decode(given.encode("ascii", "replace"))
    except (binascii.Error, ValueError):
        data = b""
    half = len(data) // 2
    if not hmac.compare_digest(_xor(data[:half], data[half:]), key.encode()):
        raise errors.Denied(
            "This form is not of your present session, so nothing was done.",
            fix="Open the page again and repeat it.",
        )


def must_come_from_here(request: Request) -> None:
    """Raise `errors.Denied` for a request that another site makes a browser send."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    host = urllib.parse.urlsplit(origin).netloc
    if site not in {"same-origin", "none"} or (origin and host != request.headers.get("host")):
        raise errors.Denied("This form was sent by another site, so nothing was done.")


async def fields(request: Request) -> dict[str, str]:
    """Return the fields of a form: texts only, each once."""
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def keep(given: Mapping[str, str]) -> str:
    """Return what a form held as one field."""
    return json.dumps({name: value for name, value in given.items() if name != GUARD})


def kept(text: str) -> dict[str, str]:
    """Return what `keep` has kept; nothing of what is not so."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, str)}


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
