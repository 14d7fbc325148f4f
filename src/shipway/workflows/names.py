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

RUNS = durable.Queue(name="runs", at_once=2, look_seconds=0.2)
"""Runs: two at once, so that a quick one need not wait for a long one. Who pushed looks on."""

PROMPT = durable.Queue(name="environments", one_per_lane=True, look_seconds=0.2)
"""What must not wait, such as a rollback. One queue for all of it, because each look costs six
statements: its lanes are the deployments of an environment, the updates of an app and the copies of
a database, and each takes one thing at a time."""

PROMOTIONS = durable.Queue(name="promotions")
"""Releases that wait for approval: any number, and none holds an environment."""

CHORES = durable.Queue(name="chores", at_once=1)
"""Housekeeping: one at a time."""

BACKUPS = durable.Queue(name="backups", one_per_lane=True)
"""Operations on backups: one at a time for each database."""

REHEARSALS = durable.Queue(name="rehearsals", at_once=1)
"""Rehearsals that people ask for: they hold no environment, and copies need room."""

QUEUES = (RUNS, PROMPT, PROMOTIONS, CHORES, BACKUPS, REHEARSALS)

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
        workflow=UPDATE,
        id=change,
        request={"change": change},
        queue=PROMPT.name,
        lane=updates_lane(app),
    )


def updates_lane(app: str) -> str:
    return f"{app} updates"


def operation(asked: Operation) -> durable.Start:
    return durable.Start(
        workflow=OPERATIONS[asked.kind],
        id=asked.id,
        request={"operation": asked.id},
        queue=queue_of(asked),
        lane=operation_lane(asked),
        priority=durable.URGENT if asked.by else durable.NORMAL,
    )


def queue_of(asked: Operation) -> str:
    return BACKUPS.name if asked.kind in BACKS_UP else PROMPT.name


def operation_lane(asked: Operation) -> str:
    """Copies have a lane of their own: no backup and no deployment holds them up."""
    site = f"{asked.app}/{asked.environment}"
    return site if asked.kind in BACKS_UP else f"{site} copies"


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
        queue=PROMPT.name if down else REHEARSALS.name,
        lane=f"{asked.app}/{asked.environment}" if down else "",
    )


def deployment(asked: Deployment) -> durable.Start:
    """A rollback goes before every deployment that waits."""
    rollback = asked.kind == "rollback"
    return durable.Start(
        workflow=ROLL_BACK if rollback else DEPLOY,
        id=asked.id,
        request={"deployment": asked.id},
        queue=PROMPT.name,
        lane=lane_of(asked),
        priority=durable.URGENT if rollback else durable.NORMAL,
    )


def lane_of(asked: Deployment) -> str:
    return f"{asked.app}/{asked.environment}"
