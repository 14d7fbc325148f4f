"""Whether this instance can serve: asked by the platform before traffic, and by monitoring after."""

import logging
import time
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from aios import __version__
from aios.database import read_schema_head

LOGGER = logging.getLogger("aios")
router = APIRouter(tags=["health"])

Status = Literal["healthy", "unhealthy"]


class Check(BaseModel):
    """The result of one check."""

    status: Status
    detail: str
    milliseconds: float


class Health(BaseModel):
    """The result of all checks; `status` is the worst of them."""

    status: Status
    version: str
    release: str
    schema_head: str | None
    checks: dict[str, Check]


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Say that the process answers. Touches nothing, so a dead database does not restart the server."""
    return {"status": "healthy"}


@router.get("/health", responses={503: {"model": Health}})
def health(request: Request, response: Response) -> Health:
    """Query the database; 503 when this instance cannot do its work."""
    started = time.perf_counter()
    head, detail = _look_at_database(request.app.state.engine)
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    status: Status = "healthy" if head else "unhealthy"
    if status == "unhealthy":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return Health(
        status=status,
        version=__version__,
        release=request.app.state.settings.release,
        schema_head=head,
        checks={"database": Check(status=status, detail=detail, milliseconds=milliseconds)},
    )


def _look_at_database(engine: Engine) -> tuple[str | None, str]:
    """Return the schema head and a sentence; no head means that the database is of no use to us."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '3s'"))
            head = read_schema_head(connection)
    except SQLAlchemyError as error:
        # The driver's message may name hosts and roles: it belongs in the log, not in a public answer.
        LOGGER.warning("The health check cannot query the database: %s", error)
        return None, "The database does not answer queries."
    if head is None:
        return None, "The database answers, but no migration was applied."
    return head, "The database answers queries."
