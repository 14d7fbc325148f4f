"""An error as JSON and back, so that a workflow that is resumed sees the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from shipway.kit import errors


def keep(error: errors.ShipwayError) -> dict[str, Any]:
    details = {key: list(getattr(error, key, ())) for key in ("problems", "reasons")}
    return {"kind": type(error).__name__, "what": error.what, "fix": error.fix, **details}


def revive(kept: Mapping[str, Any], *others: type[errors.ShipwayError]) -> errors.ShipwayError:
    """Return the error that was kept: one of the tree, or one of these ``others``."""
    what, fix = str(kept["what"]), str(kept["fix"])
    match kept["kind"]:
        case "Invalid":
            return errors.Invalid(what, problems=tuple(kept["problems"]), fix=fix)
        case "Refused":
            return errors.Refused(*kept["reasons"], fix=fix)
        case kind:
            known = {other.__name__: other for other in others}
            found = known.get(kind, getattr(errors, kind, errors.Failed))
            return cast("errors.ShipwayError", found(what, fix=fix))
