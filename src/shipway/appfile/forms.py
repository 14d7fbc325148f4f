"""An address that Shipway fills in the form that a library wants, and single parts of it."""

from __future__ import annotations

import re
import urllib.parse

PARTS = {
    "DB_URL": ("user", "password", "host", "port", "database"),
    "API_URL": ("address",),
}
"""The parts that a form can name, by the variable whose address it writes."""

_PART = re.compile(r"\{(\w+)\}")


def unknown(form: str, of: str) -> list[str]:
    """Return what a form names that is no part of the address in this variable."""
    return [part for part in _PART.findall(form) if part not in PARTS[of]]


def written(form: str, url: str) -> str:
    """Return an address in a form; in its own without one.

    A form that is an address keeps the parts quoted, as one must; in any other they are plain.
    """
    if not form:
        return url
    parts = _parts(url)
    quoted = "://" in form
    return _PART.sub(
        lambda match: parts[match[1]] if quoted else urllib.parse.unquote(parts[match[1]]), form
    )


def _parts(url: str) -> dict[str, str]:
    found = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(found.query))
    return {
        "address": found.netloc,
        "user": found.username or "",
        "password": found.password or "",
        "host": query.get("host") or found.hostname or "",
        "port": query.get("port") or str(found.port or 5432),
        "database": found.path.strip("/"),
    }
