"""What was interrupted again and again is tried no more, and ends like everything that fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipway.workflows import names
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploy import withdrawn
from shipway.workflows.deploying import Deploying
from shipway.workflows.housekeeping import Housekeeping
from shipway.workflows.operations import Operations
from shipway.workflows.outcome import Outcome
from shipway.workflows.promoting import Promoting, Promotion
from shipway.workflows.schema import Schema
from shipway.workflows.updating import Updating

WHY = "It was interrupted again and again, perhaps because it ends the worker, and was given up."


@dataclass(frozen=True, kw_only=True)
class Stories:
    """The steps by which each story ends."""

    delivering: Delivering
    deploying: Deploying
    promoting: Promoting
    updating: Updating
    housekeeping: Housekeeping
    operations: Operations
    schema: Schema


async def end(  # noqa: PLR0911 -- one for each story
    workflow: str, request: Mapping[str, Any], do: Stories
) -> Outcome:
    """End a story whose workflow was given up."""
    match workflow:
        case names.DELIVER:
            return await do.delivering.fail(request["run"], WHY)
        case names.DEPLOY | names.ROLL_BACK:
            return await withdrawn(request["deployment"], WHY, do.deploying)
        case names.PROMOTE:
            return await do.promoting.fail(Promotion(**request), WHY)
        case names.UPDATE:
            return await do.updating.fail(request["change"], WHY)
        case names.REHEARSE | names.LOWER:
            return await do.schema.fail(request["rehearsal"], WHY)
        case names.HOUSEKEEPING:
            return await do.housekeeping.fail(request["pass"], WHY)
    assert workflow in names.OPERATIONS.values()
    return await do.operations.end(workflow, request["operation"], WHY)
