"""What keeper and caller say to each other over a Unix socket: one JSON object on each line.

A connection carries one request. Its answer is any number of ``line`` and ``data`` frames, then
one ``done`` or ``error``. Closing the connection ends what was asked for.
"""

from __future__ import annotations

import pathlib
from typing import Annotated, Any, Literal

import pydantic

from shipway.kit import errors
from shipway.runtime.model import Observed, Owner, Service, Task

LONGEST_REQUEST = 64 * 1024**2
LONGEST_FRAME = 16 * 1024**2
PIECE = 1024**2
"""Files are told in pieces of this many bytes."""


class _Words(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Provide(_Words):
    verb: Literal["provide"] = "provide"
    owner: Owner


class Withdraw(_Words):
    verb: Literal["withdraw"] = "withdraw"
    owner: Owner


class Write(_Words):
    verb: Literal["write"] = "write"
    owner: Owner
    path: str
    data: bytes
    mode: Annotated[int, pydantic.Field(ge=0, le=0o777)]


class Place(_Words):
    verb: Literal["place"] = "place"
    owner: Owner
    path: str
    source: pathlib.Path
    unpack: bool


class Seal(_Words):
    verb: Literal["seal"] = "seal"
    owner: Owner
    path: str


class Collect(_Words):
    verb: Literal["collect"] = "collect"
    owner: Owner
    path: str


class Remove(_Words):
    verb: Literal["remove"] = "remove"
    owner: Owner
    path: str


class Run(_Words):
    verb: Literal["run"] = "run"
    task: Task


class Keep(_Words):
    verb: Literal["keep"] = "keep"
    service: Service


class Drop(_Words):
    verb: Literal["drop"] = "drop"
    name: str


class Signal(_Words):
    verb: Literal["signal"] = "signal"
    name: str
    signal: str


class Services(_Words):
    verb: Literal["services"] = "services"
    prefix: str


class LogLines(_Words):
    verb: Literal["log_lines"] = "log_lines"
    name: str
    last: int


Request = (
    Provide | Withdraw | Write | Place | Seal | Collect | Remove
    | Run | Keep | Drop | Signal | Services | LogLines
)  # fmt: skip

_REQUEST: pydantic.TypeAdapter[Request] = pydantic.TypeAdapter(
    Annotated[Request, pydantic.Field(discriminator="verb")]
)
OBSERVED: pydantic.TypeAdapter[list[Observed]] = pydantic.TypeAdapter(list[Observed])


class Problem(_Words):
    """An error of Shipway's, by the name of its class."""

    kind: str
    what: str
    fix: str = ""
    all: tuple[str, ...] = ()


class Frame(_Words):
    """One line of an answer."""

    line: str | None = None
    data: bytes | None = None
    error: Problem | None = None
    done: Any = None

    def encoded(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode() + b"\n"


_KINDS = {
    kind.__name__: kind
    for kind in (
        errors.Denied, errors.NotFound, errors.Conflict, errors.Unavailable, errors.Failed,
    )
}  # fmt: skip


def parse(line: bytes) -> Request:
    """Read a request. Raises `errors.Invalid` with every problem."""
    try:
        return _REQUEST.validate_json(line)
    except pydantic.ValidationError as error:
        problems = tuple(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise errors.Invalid("The steward does not understand.", problems=problems) from error


def problem(error: errors.ShipwayError) -> Problem:
    """Turn an error into words."""
    if isinstance(error, errors.Invalid):
        return Problem(kind="Invalid", what=error.what, fix=error.fix, all=error.problems)
    if isinstance(error, errors.Refused):
        return Problem(kind="Refused", what=error.what, fix=error.fix, all=error.reasons)
    kind = next((name for name, one in _KINDS.items() if isinstance(error, one)), "Failed")
    return Problem(kind=kind, what=error.what, fix=error.fix)


def error_of(problem: Problem) -> errors.ShipwayError:
    """Turn words back into the error that they were."""
    if problem.kind == "Invalid":
        return errors.Invalid(problem.what, problems=problem.all, fix=problem.fix)
    if problem.kind == "Refused":
        return errors.Refused(*problem.all, fix=problem.fix)
    return _KINDS.get(problem.kind, errors.Failed)(problem.what, fix=problem.fix)
