"""Problem details as the errors that the server raised: the same tree on both sides."""

from __future__ import annotations

import pydantic

from shipway.client import wire
from shipway.kit import errors

TITLES: dict[type[errors.ShipwayError], str] = {
    errors.Invalid: "invalid",
    errors.Refused: "refused",
    errors.Denied: "denied",
    errors.Unknown: "unknown",
    errors.NotFound: "not found",
    errors.Conflict: "conflict",
    errors.Unavailable: "unavailable",
    errors.Failed: "failed",
}


def problem_of(error: errors.ShipwayError) -> wire.Problem:
    """Return what the API answers for an error."""
    problems: tuple[str, ...] = ()
    if isinstance(error, errors.Invalid):
        problems = error.problems
    elif isinstance(error, errors.Refused):
        problems = error.reasons
    title = next((TITLES[kind] for kind in type(error).__mro__ if kind in TITLES), "failed")
    return wire.Problem(
        title=title, status=error.status, detail=error.what, fix=error.fix, problems=problems
    )


def error_of(status: int, body: str) -> errors.ShipwayError:
    """Return the error that an answer of the API stands for."""
    try:
        problem = wire.Problem.model_validate_json(body)
    except pydantic.ValidationError:
        # Something between us and Shipway has answered.
        return errors.Unavailable(
            f"The server answered {status}: {body.strip()[:200]}", fix="Is this a Shipway?"
        )
    if problem.title == "invalid":
        return errors.Invalid(problem.detail, problems=problem.problems, fix=problem.fix)
    if problem.title == "refused":
        return errors.Refused(*problem.problems, fix=problem.fix)
    kinds = {title: kind for kind, title in TITLES.items()}
    return kinds.get(problem.title, errors.Failed)(problem.detail, fix=problem.fix)
