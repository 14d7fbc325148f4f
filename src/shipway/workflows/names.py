"""Names of workflows, queues and messages, and how each workflow is started."""

from __future__ import annotations

from collections.abc import Mapping

from shipway.database.backups.model import Operation, OperationKind
from shipway.database.rehearsal import Rehearsal
from shipway.kit import durable
from shipway.releases.model import Deployment

DELIVER, DEPLOY, ROLL_BACK, PROMOTE = "deliver", "deploy", "roll_back", "promote"
UPDATE = "update"
END = "end"
HOUSEKEEPING = "housekeeping"
OPERATIONS: Mapping[OperationKind, str] = {
    "backup": "back_up",
    "check": "check_backups",
    "restore": "restore",
    "promote": "promote_copy",
    "bring_back": "bring_back",
    "discard": "discard_copy",
}
"""The workflow of each kind of operation on databases."""

BACKS_UP = frozenset({"backup", "check"})
REHEARSE, LOWER = "rehearse", "roll_back_schema"

RUNS = durable.Queue(name="runs", at_once=2)
"""Runs: two at once, so that a quick one need not wait for a long one."""
ENVIRONMENTS = durable.Queue(name="environments", one_per_lane=True, look_seconds=0.2)
"""Deployments: one at a time in each environment of each app. A rollback must not wait."""
PROMOTIONS = durable.Queue(name="promotions")
"""Releases that wait for approval: any number, and none holds an environment."""

UPDATES = durable.Queue(name="updates", one_per_lane=True, look_seconds=0.2)
"""What people ask for about updates: one at a time for each app. Taking one back must not wait."""

CHORES = durable.Queue(name="chores", at_once=1)
"""Housekeeping: one at a time."""

BACKUPS = durable.Queue(name="backups", one_per_lane=True)
"""Operations on backups: one at a time for each database."""

RESTORES = durable.Queue(name="restores", one_per_lane=True, look_seconds=0.2)
"""What is done about a copy of a database: one thing at a time, and no backup holds it up."""

REHEARSALS = durable.Queue(name="rehearsals", at_once=1)
"""Rehearsals that people ask for: they hold no environment, and copies need room."""

QUEUES = (RUNS, ENVIRONMENTS, PROMOTIONS, UPDATES, CHORES, BACKUPS, RESTORES, REHEARSALS)

STAGING, PRODUCTION = DEPLOYED = "staging", "production"
"""The environments that Shipway deploys to; development is on people's own machines."""


def delivery(run: str) -> durable.Start:
    return durable.Start(workflow=DELIVER, id=run, request={"run": run}, queue=RUNS.name)


def promotion(app: str, release: str, environment: str) -> durable.Start:
    return durable.Start(
        workflow=PROMOTE,
        id=promotion_id(release, environment),
        request={"app": app, "release": release, "environment": environment},
        queue=PROMOTIONS.name,
    )


def promotion_id(release: str, environment: str) -> str:
    return f"promote:{release}:{environment}"


def update(app: str, change: str) -> durable.Start:
    return durable.Start(
        workflow=UPDATE, id=change, request={"change": change}, queue=UPDATES.name, lane=app
    )


def operation(asked: Operation) -> durable.Start:
    return durable.Start(
        workflow=OPERATIONS[asked.kind],
        id=asked.id,
        request={"operation": asked.id},
        queue=queue_of(asked),
        lane=lane_of(asked),
        priority=durable.URGENT if asked.by else durable.NORMAL,
    )


def queue_of(asked: Operation) -> str:
    return BACKUPS.name if asked.kind in BACKS_UP else RESTORES.name


def ending(abandoned: durable.Start, *, queue: str, lane: str = "") -> durable.Start:
    """In the lane of what it ends: both at once would pull at the same traffic."""
    return durable.Start(
        workflow=END,
        id=f"{END}:{abandoned.id}",
        request={"workflow": abandoned.workflow, "request": dict(abandoned.request)},
        queue=queue,
        lane=lane,
        priority=durable.URGENT,
    )


def housekeeping(name: str, *, by: str = "", dry_run: bool = False) -> durable.Start:
    request = {"pass": name, "by": by, "dry_run": dry_run}
    return durable.Start(workflow=HOUSEKEEPING, id=name, request=request, queue=CHORES.name)


def rehearsal(asked: Rehearsal) -> durable.Start:
    """Taking a schema back is a change of its environment, and waits for the others."""
    down = asked.direction == "down"
    return durable.Start(
        workflow=LOWER if down else REHEARSE,
        id=asked.id,
        request={"rehearsal": asked.id},
        queue=ENVIRONMENTS.name if down else REHEARSALS.name,
        lane=f"{asked.app}/{asked.environment}" if down else "",
    )


def deployment(asked: Deployment) -> durable.Start:
    """A rollback goes before every deployment that waits."""
    rollback = asked.kind == "rollback"
    return durable.Start(
        workflow=ROLL_BACK if rollback else DEPLOY,
        id=asked.id,
        request={"deployment": asked.id},
        queue=ENVIRONMENTS.name,
        lane=lane_of(asked),
        priority=durable.URGENT if rollback else durable.NORMAL,
    )


def lane_of(asked: Deployment | Operation) -> str:
    return f"{asked.app}/{asked.environment}"
