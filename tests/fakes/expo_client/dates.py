"""How the clients read ``createdAt`` and ``commitTime``: milliseconds since 1970.

Android uses Java's ``SimpleDateFormat`` with ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'``, which is lenient:
it takes any number of digits for each field, lets every field overflow into the next one, and
reads the digits after the point as *milliseconds*, however many they are. It does not look at
what follows the part that it has read.
"""

from __future__ import annotations

import datetime
import re

_JAVA = re.compile(r"\s*(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)Z")
_EXACT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


def android(text: str) -> int:
    """Read as Android does. Raises `ValueError` when Java's parser would."""
    match = _JAVA.match(text)
    if not match:
        raise ValueError(f"SimpleDateFormat refuses {text!r}")
    year, month, day, hour, minute, second, millisecond = map(int, match.groups())
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    days = datetime.date(year, month, 1).toordinal() - datetime.date(1970, 1, 1).toordinal()
    return ((((days + day - 1) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond


def ios(text: str) -> int:
    """Read the one form that is known to be safe on iOS. Raises `ValueError` for all others."""
    read = android(text)
    if not _EXACT.fullmatch(text) or write(read) != text:
        raise ValueError(f"not the form that iOS is known to read: {text!r}")
    return read


def write(milliseconds: int) -> str:
    """Write the one form that both clients read."""
    moment = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
