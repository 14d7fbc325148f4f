"""What the API says about schemas: what has changed them, and what a rehearsal has shown."""

from __future__ import annotations

from typing import Literal

import pydantic

from shipway.client.wire import Answer, Moment, Request

RehearsalState = Literal["running", "passed", "blocked", "failed", "skipped"]


class Rehearse(Request):
    """Ask for a rehearsal of a release, the newest one unless it is named."""

    release: str = ""


class TakeBack(Request):
    """Ask for the way back from the last migration."""

    reason: str = pydantic.Field(default="", max_length=2000)


class Statement(Answer):
    """A statement of a migration that has run. Times are in seconds; what it locked stayed locked
    for ``locked_seconds``, until its transaction ended."""

    sql: str
    seconds: float
    locked_seconds: float


class Migration(Answer):
    """What has changed the schema of an environment, or tried to."""

    deployment: str
    release: str
    state: Literal["running", "succeeded", "failed"]
    before: str
    after: str
    statements: tuple[Statement, ...]
    attempts: int
    seconds: float
    sentence: str
    started: Moment
    ended: Moment | None


class Planned(Answer):
    """A statement as it was rehearsed. ``lock`` is the strongest one on a table that others use,
    ``waited`` how many statements of the load waited, the longest for ``longest_wait`` seconds."""

    sql: str
    seconds: float
    lock: str
    table: str
    lock_seconds: float
    waited: int
    longest_wait: float
    rewritten: tuple[str, ...]
    wal_bytes: int
    findings: tuple[str, ...]


class Plan(Answer):
    """A rehearsal of a release's migrations. ``reasons`` block it, ``remarks`` do not."""

    id: str
    app: str
    environment: str
    release: str
    version: str
    direction: Literal["up", "down"]
    state: RehearsalState
    sentence: str
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    pending: tuple[str, ...]
    """The files of migrations that have not run."""
    before: str
    after: str
    copied: str
    load: str
    statements: tuple[Planned, ...]
    wal_bytes: int
    disk_bytes: int
    reversible: bool | None
    reversal: str
    budget_seconds: float
    seconds: float
    by: str
    at: Moment

    @property
    def over(self) -> bool:
        return self.state != "running"
