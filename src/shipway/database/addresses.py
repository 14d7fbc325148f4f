"""Builds the addresses of databases, as every PostgreSQL library understands them."""

from __future__ import annotations

import urllib.parse


def by_socket(folder: str, database: str, role: str, password: str, *, port: int = 0) -> str:
    """Return the address of a database whose server listens on a Unix socket in ``folder``.

    ``port`` is part of the socket's name, where it is not the usual one.
    """
    person = f"{_quoted(role)}:{_quoted(password)}"
    named = f"&port={port}" if port else ""
    return f"postgresql://{person}@/{_quoted(database)}?host={_quoted(folder, keep='/')}{named}"


def by_port(port: int, database: str, role: str, password: str) -> str:
    """Return the address of a database whose server listens on a port of this machine."""
    return f"postgresql://{_quoted(role)}:{_quoted(password)}@127.0.0.1:{port}/{_quoted(database)}"


def _quoted(text: str, *, keep: str = "") -> str:
    return urllib.parse.quote(text, safe=keep)
