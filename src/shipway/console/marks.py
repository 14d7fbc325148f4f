"""What stands for the present state of an app or run: another text whenever pages show something
else."""

from __future__ import annotations

from collections.abc import Mapping

from shipway.kit import db

_SQL = db.queries(__package__)


async def of_app(database: db.Database, app: str) -> str:
    return await _mark(database, "mark_of_app", app)


async def of_run(database: db.Database, run: str) -> str:
    return await _mark(database, "mark_of_run", run)


async def of_path(database: db.Database, path: Mapping[str, str]) -> str:
    """Return the mark that the events of a page of this path will tell, or nothing."""
    if "run" in path:
        return await of_run(database, path["run"])
    return await of_app(database, path["app"]) if "app" in path else ""


async def _mark(database: db.Database, query: str, subject: str) -> str:
    row = await database.row(_SQL[query], subject=subject)
    return str(row["mark"]) if row else ""
