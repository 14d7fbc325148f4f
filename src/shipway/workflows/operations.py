"""Everything that is done about databases by an operation: its story, and how it ends early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shipway.workflows import back_up, names, restore
from shipway.workflows.backing_up import BackingUp
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform
from shipway.workflows.restoring import Restoring

Workflow = Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The steps that the stories are told with."""

    backing_up: BackingUp
    restoring: Restoring

    @classmethod
    def of(cls, platform: Platform) -> Operations:
        return cls(backing_up=BackingUp(platform), restoring=Restoring(platform))

    def stories(self) -> Mapping[str, Workflow]:
        """Return the body of each workflow. Its request names the operation."""
        backing_up, restoring = self.backing_up, self.restoring
        told: Mapping[str, Callable[[str], Awaitable[Outcome]]] = {
            names.OPERATIONS["backup"]: lambda one: back_up.back_up(one, backing_up),
            names.OPERATIONS["check"]: lambda one: back_up.check_backups(one, backing_up),
            names.OPERATIONS["restore"]: lambda one: restore.restore(one, restoring),
            names.OPERATIONS["promote"]: lambda one: restore.promote(one, restoring),
            names.OPERATIONS["bring_back"]: lambda one: restore.bring_back(one, restoring),
            names.OPERATIONS["discard"]: lambda one: restore.discard(one, restoring),
        }
        return {name: _body(story) for name, story in told.items()}

    async def end(self, workflow: str, operation: str, why: str) -> Outcome:
        """End an operation whose workflow was given up."""
        if workflow == names.OPERATIONS["restore"]:
            return await self.restoring.give_up(operation, why)
        return await self.restoring.fail(operation, why)


def _body(story: Callable[[str], Awaitable[Outcome]]) -> Workflow:
    async def body(request: dict[str, Any]) -> dict[str, Any]:
        return asdict(await story(request["operation"]))

    return body
