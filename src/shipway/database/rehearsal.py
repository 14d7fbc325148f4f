"""A rehearsal: what was seen when a migration ran on a copy, and whether it may run for real. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from shipway.database.lint import Finding
from shipway.database.measuring import KEEPS_OTHERS_OUT, Measured
from shipway.database.model import shortened

State = Literal["running", "passed", "blocked", "failed", "skipped"]
Direction = Literal["up", "down"]

_ELSE_SAFER = "Split it into parts that each take less time."
_LATER = "Let a release go live first that does not need it, and make this change afterwards."


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a migration may cost. ``seconds`` bounds how long anybody may be kept waiting,
    ``disk_bytes`` what the disk has left for it."""

    seconds: float
    disk_bytes: int


@dataclass(frozen=True)
class Broken:
    """A statement of the release that is live, which worked before the migration and not after."""

    statement: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Reversal:
    """Whether the down migration takes back what the up migration did.

    ``proven`` is None where none is declared. ``lost`` are columns and tables that go with it:
    what is written into them until then is lost.
    """

    proven: bool | None
    sentence: str
    lost: tuple[str, ...] = ()


UNDECLARED = Reversal(
    proven=None,
    sentence="No down migration is declared: the way back is a restore into a recovery instance.",
)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that was seen on the copy. ``failure`` is a sentence when it did not succeed."""

    copy: str
    load: str
    before: str = ""
    after: str = ""
    measured: tuple[Measured, ...] = ()
    findings: tuple[Finding, ...] = ()
    broken: tuple[Broken, ...] = ()
    knows_statements: bool = False
    wal_bytes: int = 0
    disk_bytes: int = 0
    seconds: float = 0.0
    reversal: Reversal = UNDECLARED
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """A rehearsal as it is kept with its release: of its migration, or ``down`` of taking it back.

    ``reasons`` are what blocks, ``remarks`` what is worth knowing; each is a sentence. ``pending``
    are the files of the migrations that have not run.
    """

    id: str
    app: str
    environment: str
    release: str
    version: str
    direction: Direction = "up"
    state: State = "running"
    sentence: str = ""
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    seen: Seen | None = None
    budget_seconds: float = 0.0
    at: datetime.datetime
    by: str = ""

    @property
    def lets_in(self) -> bool:
        return self.state in {"passed", "skipped"}

    def __str__(self) -> str:
        return f"{self.version} in {self.environment}"


def judged(asked: Rehearsal, seen: Seen, budget: Budget) -> Rehearsal:
    """Decide on a rehearsal. One that takes migrations back must also bring all rows back."""
    # A way back drops what was added, on purpose.
    down = asked.direction == "down"
    why = tuple(reasons(replace(seen, knows_statements=True) if down else seen, budget))
    if down and not why and not seen.reversal.proven:
        why = (seen.reversal.sentence,)
    state: State = "failed" if seen.failure else "blocked" if why else "passed"
    return replace(
        asked,
        state=state,
        sentence=sentence(seen, why, budget),
        reasons=why,
        remarks=tuple(remarks(seen, budget)),
        seen=seen,
        budget_seconds=budget.seconds,
    )


def reasons(seen: Seen, budget: Budget) -> Iterator[str]:
    """Say everything for which a migration must not run for real."""
    if seen.failure:
        yield seen.failure
    for one in seen.measured:
        if one.felt_seconds > budget.seconds:
            yield _too_long(one, seen.findings, budget)
    yield from _breaking(seen)
    if seen.disk_bytes > budget.disk_bytes:
        yield (
            f"It needs {seen.disk_bytes:,} bytes on the disk for a while, of which"
            f" {budget.disk_bytes:,} are free. Make room, or change the rows in batches."
        )


def _breaking(seen: Seen) -> Iterator[str]:
    """Say what the live release could not do any more; where nobody knows, what it might."""
    for broken in seen.broken:
        yield (
            f"The live release, or a warm one, runs `{shortened(broken.statement, 120)}`, which fails after this"
            f" migration: {broken.why.rstrip('.')}. {_LATER}"
        )
    for finding in seen.findings:
        if finding.breaks and not seen.knows_statements:
            yield f"{finding.sentence} The statements of the live release are not known here."


def remarks(seen: Seen, budget: Budget) -> Iterator[str]:
    """Say what is dangerous in general and was bearable here."""
    slow = {one.statement for one in seen.measured if one.felt_seconds > budget.seconds}
    for finding in seen.findings:
        if finding.statement in slow or (finding.breaks and not seen.knows_statements):
            continue
        cost = next((m for m in seen.measured if m.statement == finding.statement), None)
        bearable = f" Measured: {_cost(cost)}." if cost else ""
        yield f"{finding.sentence}{bearable}"


def sentence(seen: Seen, why: Sequence[str], budget: Budget) -> str:
    """Say in one breath how a rehearsal ended."""
    if why:
        more = f" And {len(why) - 1} more." if len(why) > 1 else ""
        return f"{why[0]}{more}"
    if not seen.measured:
        return f"The migration changes nothing: the schema is at {seen.after or 'its beginning'}."
    longest = max(one.felt_seconds for one in seen.measured)
    tables = sorted({table for one in seen.measured for table in one.rewritten})
    rewritten = f"{', '.join(tables)} rewritten" if tables else "no table rewritten"
    return (
        f"Rehearsed from {seen.before or 'nothing'} to {seen.after}:"
        f" {_counted(len(seen.measured), 'statement')} in"
        f" {sum(one.seconds for one in seen.measured):.1f} s, nobody kept waiting for more than"
        f" {longest:.2f} s (the budget is {budget.seconds:g} s),"
        f" {rewritten}, {seen.wal_bytes / 1e6:.1f} MB of WAL. {seen.reversal.sentence}"
    )


def _too_long(one: Measured, findings: Sequence[Finding], budget: Budget) -> str:
    lock = one.strongest
    if lock and lock.seconds >= one.longest_wait:
        what = (
            f"keeps everybody from {KEEPS_OTHERS_OUT[lock.mode]} {lock.table} for"
            f" {lock.seconds:.2f} s ({lock.name})"
        )
    else:
        what = f"makes others wait for {one.longest_wait:.2f} s"
    found = [f for f in findings if f.statement == one.statement and not f.breaks]
    rewritten = f", rewrites {', '.join(one.rewritten)}" if one.rewritten else ""
    why = f": {found[0].why}" if found else ""
    waited = (
        f" {_counted(len(one.waits), 'statement')} of the load waited for it." if one.waits else ""
    )
    return (
        f"`{shortened(one.statement, 120)}` {what}{rewritten}; the budget is"
        f" {budget.seconds:g} s{why}.{waited} {found[0].safer if found else _ELSE_SAFER}"
    )


def _cost(one: Measured) -> str:
    lock = f", {one.strongest.name} for {one.strongest.seconds:.2f} s" if one.strongest else ""
    return f"{one.seconds:.2f} s{lock}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def new_columns(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Return what there is after a migration and was not before, as ``table.column``."""
    return tuple(sorted(set(after) - set(before)))


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is in a database: of each table its rows and a sum over them, and its shape.

    ``shape`` are columns, indexes and constraints, each as a line.
    """

    columns: tuple[str, ...] = ()
    shape: frozenset[str] = field(default_factory=frozenset)
    sums: tuple[tuple[str, int, str], ...] = ()
    """(table, rows, sum)."""


def reversal(start: Content, up: Content, down: Content, again: Content) -> Reversal:
    """Judge up, down and up again. ``up`` and ``again`` are summed over what ``start`` has."""
    lost = new_columns(start.columns, up.columns)
    if odd := start.shape ^ down.shape:
        sentence = f"Down does not invert up: {min(odd)} differs."
    elif table := _differing(start, down):
        sentence = f"Down does not bring back the rows of {table}."
    elif odd := up.shape ^ again.shape:
        sentence = f"Up, down and up again does not lead to the same: {min(odd)} differs."
    elif table := _differing(up, again):
        sentence = f"Up, down and up again gives {table} other rows."
    else:
        goes = f"; what is in {', '.join(lost)} by then goes with it" if lost else ""
        sentence = f"Up, down and up again left equal data{goes}."
        return Reversal(proven=True, sentence=sentence, lost=lost)
    return Reversal(proven=False, sentence=sentence, lost=lost)


def _differing(one: Content, other: Content) -> str:
    rows = {table: (rows, total) for table, rows, total in other.sums}
    return next(
        (table for table, count, total in one.sums if rows.get(table) != (count, total)), ""
    )
