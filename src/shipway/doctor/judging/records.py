"""What the database knows: its schema, what is under way, who was not told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from shipway.doctor import findings
from shipway.doctor.findings import Finding, Remedy

LONG_HOURS = 6.0
UNFINISHED = frozenset({"PENDING", "ENQUEUED", "DELAYED"})


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run or deployment that is on record as unfinished, and its workflow.

    ``workflow`` is empty where there is none; ``version`` is that of the worker that began it.
    """

    kind: Literal["run", "deployment"]
    id: str
    app: str
    state: str
    hours: float
    workflow: str
    version: str = ""


def unfinished(seen: Sequence[Unfinished], version: str) -> list[Finding]:
    """Judge what should be going on. ``version`` is that of this Shipway's workflows."""
    found = [finding for one in seen if (finding := _stuck(one, version))]
    told = f"{len(seen)} are under way, none is stuck." if seen else "Nothing is under way."
    return found or [findings.fine("runs", told)]


def _stuck(one: Unfinished, version: str) -> Finding | None:
    name = f"The {one.kind} {one.id} of {one.app}"
    if one.workflow not in UNFINISHED:
        how = f"ended as {one.workflow}" if one.workflow else "is not there"
        told = f"{name} is {one.state} on record, and its workflow {how}."
        if one.kind == "run":
            remedy = Remedy(kind="end run", target=one.id)
            return findings.wrong("runs", told, "`shipway doctor --fix` marks it failed.", remedy)
        return findings.wrong("runs", told, f"Deploy {one.app} again, or roll it back.")
    if one.version and one.version != version:
        told = f"{name} was begun by workflows of version {one.version}; these are {version}."
        mend = f"Run that version of Shipway until it ends, or: shipway cancel {one.id}"
        return findings.wrong("runs", told, mend)
    if one.hours > LONG_HOURS and one.state == "running":
        told = f"{name} has been running for {one.hours:.0f} hours."
        return findings.doubtful("runs", told, f"Look at it: shipway logs {one.id}")
    return None


def stranded(seen: Sequence[tuple[str, str]], told: Collection[str]) -> list[Finding]:
    """Judge unfinished workflows of another version (names and ids), which nobody resumes, except
    those that have been ``told`` of by their runs."""
    names = [f"{name} {workflow}" for name, workflow in seen if workflow not in told]
    if not names:
        return []
    sentence = f"Of another version, and waiting for its worker: {findings.listed(names)}."
    return [findings.wrong("runs", sentence, "Run that version of Shipway until they end.")]


def migrations(missing: Sequence[str], refusal: str = "") -> Finding:
    """Judge the schema of Shipway's own database."""
    if refusal:
        mend = "Run the version of Shipway that made this database."
        return findings.wrong("database", refusal, mend)
    if missing:
        told = f"Shipway's database lacks {findings.listed(missing)}."
        return findings.wrong("database", told, "Run `shipway up`, which migrates.")
    return findings.fine("database", "Shipway's own answers, and its schema is current.")


def silent(seen: Sequence[str]) -> list[Finding]:
    """Judge databases that answer nobody."""
    mend = "Run `shipway up`; then see logs/services below SHIPWAY_HOME."
    return [findings.wrong("database", f"{name} does not answer.", mend) for name in seen]


def deliveries(given_up: int, last_error: str) -> list[Finding]:
    """Judge notifications that reached nobody."""
    if not given_up:
        return []
    told = f"{given_up} notifications were given up, the last because: {last_error}"
    return [findings.doubtful("notifications", told, "Is the receiver right? shipway notify list")]
