"""Everything that can go wrong, as a small tree.

    ShipwayError
    ├── Invalid        what was given is malformed; lists every problem
    ├── Refused        a rule says no; lists every reason
    ├── Denied         the caller is unknown, or may not do this
    ├── NotFound       no such thing
    ├── Conflict       it is already so, or another is at it
    ├── Unavailable    a part that we need does not answer
    └── Failed         something outside ran and did not succeed

A message says what happened to what; ``fix`` says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar


class ShipwayError(Exception):
    """Something went wrong that the person can be told about.

    ``status`` is the HTTP status that the API answers with, ``exit_code`` what the command
    line exits with. Both are documented in ``docs/reference/errors.md``.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}".strip()


class Invalid(ShipwayError):
    """What was given is malformed. ``problems`` holds one sentence for each place."""

    status = 422
    exit_code = 2

    def __init__(self, what: str, *, problems: tuple[str, ...] = (), fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *(f"  - {problem}" for problem in self.problems)))


class Refused(ShipwayError):
    """A rule says no. ``reasons`` holds every one of them, each a sentence."""

    status = 409
    exit_code = 3

    def __init__(self, *reasons: str, fix: str = "") -> None:
        super().__init__("; ".join(reasons), fix=fix)
        self.reasons = reasons


class Denied(ShipwayError):
    """The caller may not do this."""

    status = 403
    exit_code = 4


class Unknown(Denied):
    """Nobody is known by this token, or the token has expired."""

    status = 401


class NotFound(ShipwayError):
    """There is no such thing."""

    status = 404
    exit_code = 5


class Conflict(ShipwayError):
    """It is already so, or somebody else is at it."""

    status = 409
    exit_code = 6


class Unavailable(ShipwayError):
    """A part that is needed does not answer."""

    status = 503
    exit_code = 7


class Failed(ShipwayError):
    """Something outside ran and did not succeed."""

    status = 500
    exit_code = 8


def reword(error: ShipwayError, change: Callable[[str], str]) -> None:
    """Change every sentence of an error."""
    error.what, error.fix = change(error.what), change(error.fix)
    match error:
        case Invalid():
            error.problems = tuple(map(change, error.problems))
        case Refused():
            error.reasons = tuple(map(change, error.reasons))
