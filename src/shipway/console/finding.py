"""What the palette finds beyond the page that it stands on: apps, releases, runs and people."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shipway.console.showing import SCOPE, Console
from shipway.kit import db

_SQL = db.queries(__package__)

LONGEST = 100
MOST = 8
"""Places of each kind."""


async def places(console: Console, request: Request) -> Response:
    """Return places whose names hold what is looked for: ``[{"name", "to"}]``, best first.

    Of several words the first ones may name an app: `tiny v12`.
    """
    await console.session(request)
    wanted = request.query_params.get("q", "").strip()[:LONGEST]
    if not wanted:
        return JSONResponse([])
    found = await console.on.database.rows(
        _SQL["places"], whole=wanted, last=wanted.split()[-1], most=MOST
    )
    return JSONResponse([{"name": row["name"], "to": f"{SCOPE}{row['path']}"} for row in found])
