"""What stands for the present state of an app or run: another text whenever pages show something
else."""

from __future__ import annotations

from collections.abc import Mapping

from shipway.kit import db, errors
from shipway.workflows.front import ApiPlatform

_SQL = db.queries(__package__)


async def of_app(on: ApiPlatform, app: str) -> str:
    """Return the mark of an app: its records, and which of its instances answer."""
    return f"{await _mark(on.database, 'mark_of_app', app)}.{await _running(on, app)}"


async def of_run(on: ApiPlatform, run: str) -> str:
    return await _mark(on.database, "mark_of_run", run)


async def of_path(on: ApiPlatform, path: Mapping[str, str]) -> str:
    """Return the mark that the events of a page of this path will tell, or nothing."""
    if "run" in path:
        return await of_run(on, path["run"])
    return await of_app(on, path["app"]) if "app" in path else ""


async def _mark(database: db.Database, query: str, subject: str) -> str:
    row = await database.row(_SQL[query], subject=subject)
    return str(row["mark"]) if row else ""


async def _running(on: ApiPlatform, app: str) -> str:
    try:
        places = await on.instances.everywhere()
    except errors.Unavailable:
        return "?"
    mine = sorted((place.environment, alive) for place, alive in places if place.app == app)
    return "".join(f"{environment[0]}{int(alive)}" for environment, alive in mine)
