"""Which variables an app may call its own."""

from __future__ import annotations

import re

PUBLIC = "EXPO_PUBLIC_"
"""Expo builds variables with this prefix into the client, and only those."""

GENERATED = frozenset({"DB_URL", "JWT_SECRET"})
"""Secrets that Shipway makes when nobody gives them."""

PROVIDED = frozenset({*GENERATED, "NODE_ENV", "API_URL", "EXPO_PUBLIC_DOMAIN"})
"""Variables that Shipway fills; a value given for one of them takes its place."""

_RESERVED = frozenset(
    {
        "PORT",
        "HOST",
        "PATH",
        "HOME",
        "USER",
        "SHELL",
        "TMPDIR",
        "IFS",
        "ENV",
        "BASH_ENV",
    }
)
# libpq reads these before the address that it is given.
_POSTGRES = re.compile(r"PG[A-Z0-9]*|PGCONNECT_TIMEOUT")
PREFIXES = ("SHIPWAY_", "E2E_", "SHIV_", "LD_", "DYLD_")


def objection(name: str, kind: str) -> str:
    """Return why a variable may not have this name with this kind, as what is expected instead."""
    if name in _RESERVED or _POSTGRES.fullmatch(name):
        return f"another name: {name} belongs to the system"
    if name.startswith(PREFIXES):
        return f"a name that does not begin with {name.partition('_')[0]}_, which is reserved"
    if name.startswith(PUBLIC) and kind != "public":
        return f'kind = "public": Expo shows every {PUBLIC}… to everybody'
    if kind == "public" and not name.startswith(PUBLIC):
        return f"a name that begins with {PUBLIC}, since Expo builds in no other"
    if name in GENERATED and kind != "secret":
        return 'kind = "secret"'
    return ""
