"""Every error as problem details (RFC 9457)."""

from __future__ import annotations

import fastapi
import fastapi.exceptions
import starlette.exceptions
from starlette.responses import Response

from shipway.client import problems
from shipway.kit import errors, ids, log

_log = log.get("api")


def install(app: fastapi.FastAPI) -> None:
    app.add_exception_handler(errors.ShipwayError, _known)
    app.add_exception_handler(fastapi.exceptions.RequestValidationError, _malformed)
    app.add_exception_handler(starlette.exceptions.HTTPException, _by_status)
    app.add_exception_handler(Exception, _broken)


def answer(error: errors.ShipwayError, status: int = 0) -> Response:
    problem = problems.problem_of(error)
    if status:
        problem = problem.model_copy(update={"status": status})
    headers = {"www-authenticate": "Bearer"} if problem.status == 401 else {}
    return Response(
        problem.model_dump_json(), problem.status, headers, media_type="application/problem+json"
    )


async def _known(_: fastapi.Request, error: Exception) -> Response:
    assert isinstance(error, errors.ShipwayError)
    return answer(error)


async def _malformed(_: fastapi.Request, error: Exception) -> Response:
    """Say where and what, but not the value: it may be a secret."""
    assert isinstance(error, fastapi.exceptions.RequestValidationError)
    found = tuple(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    )
    return answer(errors.Invalid("The request is malformed.", problems=found))


async def _by_status(request: fastapi.Request, error: Exception) -> Response:
    assert isinstance(error, starlette.exceptions.HTTPException)
    kinds: dict[int, type[errors.ShipwayError]] = {404: errors.NotFound, 503: errors.Unavailable}
    kind = kinds.get(error.status_code, errors.Invalid)
    where = f"{request.method} {request.url.path}"
    return answer(kind(f"{where}: {error.detail}."), status=error.status_code)


async def _broken(request: fastapi.Request, error: Exception) -> Response:
    """A bug. The person gets a name for it, the log gets the rest."""
    name = ids.new("bug")
    _log.error("api.broke", bug=name, path=request.url.path, exc_info=error)
    return answer(
        errors.Failed(f"Shipway broke on this request ({name}).", fix="The API's log says more.")
    )
