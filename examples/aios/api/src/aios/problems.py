"""Every error leaves as problem details (RFC 9457), whoever raised it."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

LOGGER = logging.getLogger("aios")
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "5"


class ProblemError(Exception):
    """A refusal that the person can read."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(
    status: HTTPStatus, detail: str, headers: dict[str, str] | None = None, **extra: object
) -> JSONResponse:
    """Build the answer; `extra` members are the extension members of the RFC."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(content | extra, status, headers, MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Turn each kind of failure into problem details."""

    @app.exception_handler(ProblemError)
    def refuse(_: Request, error: ProblemError) -> JSONResponse:
        return problem_response(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    def relay(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem_response(HTTPStatus(error.status_code), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        # Only these keys: the others repeat the input, and the input may be a password.
        errors = [{key: item[key] for key in ("loc", "msg", "type")} for item in error.errors()]
        detail = " ".join(f"{item['loc'][-1]}: {item['msg']}." for item in errors)
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeoutError)
    def apologise(_: Request, error: Exception) -> JSONResponse:
        LOGGER.error("The database is not available.", exc_info=error)
        detail = "The database is not available. Try again shortly."
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})

    @app.exception_handler(Exception)
    def hide(_: Request, __: Exception) -> JSONResponse:
        # The server logs the traceback; the person gets no internals.
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
