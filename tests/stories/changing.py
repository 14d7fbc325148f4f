"""What stories on `tiny` do with its sources, and how they ask what is live."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from demo.stage import Stage

from shipway.kit import http

TINY = "server/tiny/__init__.py"
SERVER = "server/tiny/server.py"
MIGRATE = "server/tiny/migrate.py"
WORDS = "server/tests/words.py"
FILE = "shipway.toml"


@contextlib.asynccontextmanager
async def changed(tiny: Stage, path: str, change: Callable[[str], str]) -> AsyncIterator[None]:
    """Commit a change for a while; what was pushed is taken back by another commit."""
    before = (tiny.checkout / path).read_text()
    await tiny.commit(path, change, f"Change {path}")
    try:
        yield
    finally:
        await tiny.commit(path, lambda _: before, f"Take back {path}")


async def answer(tiny: Stage, environment: str) -> dict[str, str]:
    """Ask the server of an environment through the edge: it must be well."""
    found = await http.get(
        f"{tiny.url(environment)}/health", address=tiny.edge, ca_file=tiny.ca_file
    )
    assert found.status_code == 200
    told: dict[str, str] = found.json()
    return told


async def other_owner(tiny: Stage) -> str:
    """Return a person who owns the platform as well, and wrote nothing. Stories share her."""
    if not tiny.config("olga").exists():
        await tiny.invite("olga", "owner")
    return "olga"
