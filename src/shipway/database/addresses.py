"""Builds the addresses of databases, as every PostgreSQL library understands them."""

from __future__ import annotations

import urllib.parse


def by_socket(folder: str, database: str, role: str, password: str) -> str:
    """Return the address of a database whose server listens on a Unix socket in ``folder``."""
    person = f"{_quoted(role)}:{_quoted(password)}"
    return f"postgresql://{person}@/{_quoted(database)}?host={_quoted(folder, keep='/')}"


def _quoted(text: str, *, keep: str = "") -> str:
    return urllib.parse.quote(text, safe=keep)
