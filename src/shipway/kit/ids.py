"""Names for new things: a prefix that says what it is, then sortable by time of making."""

from __future__ import annotations

import secrets
import time

_latest = [0]
"""The latest moment that this process has put into an identifier."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new(prefix: str) -> str:
    """Return a fresh identifier such as ``run_01jd3k9f7m2q8x4t``.

    Nine characters of milliseconds (Crockford base 32, so that text order is time order)
    and eight of chance: 40 bits, enough for things that are made thousands a day. When the clock
    goes back, time stands still until it has caught up: what is new must not sort as old.
    """
    _latest[0] = max(_latest[0], time.time_ns() // 1_000_000)
    return f"{prefix}_{_encode(_latest[0], 9)}{_encode(secrets.randbits(40), 8)}"


def _encode(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
