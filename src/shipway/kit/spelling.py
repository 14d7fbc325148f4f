"""The ways in which a program may write a secret, for a mask to know."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable

from shipway.kit.mask import Mask


def of(secret: str) -> tuple[str, ...]:
    """Return a secret as it is, as it stands in addresses, in JSON and in Python; and if it is
    an address with a password, that password too."""
    spelled = (way for part in (secret, *_passwords(secret)) for way in _ways(part))
    return tuple(dict.fromkeys(spelled))


def mask(secrets: Iterable[str]) -> Mask:
    """Return a mask for these secrets, however they are written."""
    return Mask(way for secret in secrets for way in of(secret))


def _ways(text: str) -> tuple[str, ...]:
    # Line by line, for an escaped text has but one line.
    lines = (text, *text.splitlines())
    return tuple(
        way
        for line in lines
        for way in (
            line,
            urllib.parse.quote(line, safe=""),
            urllib.parse.quote_plus(line),
            json.dumps(line)[1:-1],
            json.dumps(line, ensure_ascii=False)[1:-1],
            repr(line)[1:-1],
        )
    )


def _passwords(secret: str) -> tuple[str, ...]:
    try:
        password = urllib.parse.urlsplit(secret).password
    except ValueError:
        password = None
    return (password, urllib.parse.unquote(password)) if password else ()
