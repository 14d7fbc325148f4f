"""What a migration did while it was watched: time, locks, who waited, what was rewritten. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shipway.database import model, sql
from shipway.database.model import Logged

SAW = "shipway-saw "
"""What the event triggers of a copy begin their messages with; JSON follows."""

KEEPS_OTHERS_OUT: Mapping[str, str] = {
    "ShareLock": "writing",
    "ShareRowExclusiveLock": "writing",
    "ExclusiveLock": "writing",
    "AccessExclusiveLock": "reading or writing",
}
"""The locks on a table that an app feels, and what it cannot do meanwhile."""

_WITHOUT_TRIGGER = (
    ("TRUNCATE", "AccessExclusiveLock"),
    ("LOCK", "AccessExclusiveLock"),
    ("DROP TABLE", "AccessExclusiveLock"),
    ("UPDATE", "RowExclusiveLock"),
    ("DELETE", "RowExclusiveLock"),
)
"""Statements that event triggers do not see, or only when the table is gone."""

CLOCK_SECONDS = 0.05
"""The log is exact to a millisecond, and the looks at who waits come this often."""


@dataclass(frozen=True)
class Wait:
    """A statement of somebody else's that waited for the migration. ``began`` is in seconds since
    1970; ``table`` is empty where it waited for a row."""

    statement: str
    table: str
    began: float
    seconds: float


@dataclass(frozen=True)
class Lock:
    """A lock on a table that was there before, and how long until the transaction ended."""

    table: str
    mode: str
    seconds: float

    @property
    def name(self) -> str:
        """As PostgreSQL's documentation writes it."""
        words = "".join(f" {c}" if c.isupper() else c for c in self.mode.removesuffix("Lock"))
        return words.strip().upper()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One statement of a migration."""

    statement: str
    seconds: float
    locks: tuple[Lock, ...] = ()
    waits: tuple[Wait, ...] = ()
    rewritten: tuple[str, ...] = ()
    wal_bytes: int = 0

    @property
    def longest_wait(self) -> float:
        return max((one.seconds for one in self.waits), default=0.0)

    @property
    def strongest(self) -> Lock | None:
        """The lock that keeps others out for the longest time."""
        felt = [one for one in self.locks if one.mode in KEEPS_OTHERS_OUT]
        return max(
            felt, key=lambda one: (one.seconds, one.mode == "AccessExclusiveLock"), default=None
        )

    @property
    def felt_seconds(self) -> float:
        """For how long somebody could not do their work for this statement."""
        return max(self.strongest.seconds if self.strongest else 0.0, self.longest_wait)


@dataclass(kw_only=True)
class _Change:
    """A change of the schema, as the event triggers tell it."""

    tag: str
    began: float
    ended: float = 0.0
    locks: list[tuple[str, str]] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class _Span:
    """A statement in its time."""

    session: int
    statement: str
    began: float
    ended: float
    transaction_end: float
    changes: list[_Change]
    locks: tuple[Lock, ...] = ()


def measure(
    log: Sequence[Logged], waits: Sequence[Wait], existing: Collection[str]
) -> tuple[Measured, ...]:
    """Return what each statement did, in the order of their beginnings.

    ``existing`` are the tables that were there before: nobody else knows the others.
    """
    spans = sorted(_spans(log), key=lambda span: span.began)
    _lock(spans, existing)
    waited: dict[int, list[Wait]] = {}
    for wait in waits:
        if (index := _culprit(spans, wait)) is not None:
            waited.setdefault(index, []).append(wait)
    return tuple(
        Measured(
            statement=span.statement[: model.LONGEST_STATEMENT],
            seconds=span.ended - span.began,
            locks=span.locks,
            waits=tuple(waited.get(index, ())),
            rewritten=tuple(t for c in span.changes for t in c.rewritten if t in existing),
        )
        for index, span in enumerate(spans[: model.MOST_STATEMENTS])
    )


def with_wal(measured: Sequence[Measured], wal: Mapping[str, int]) -> tuple[Measured, ...]:
    """Add how much was written ahead for each statement, by the pattern of its text."""
    return tuple(replace(one, wal_bytes=wal.get(sql.pattern(one.statement), 0)) for one in measured)


def _spans(log: Sequence[Logged]) -> Iterator[_Span]:
    seen: dict[int, list[_Change]] = {}
    for entry in log:
        if entry.message.startswith(SAW):
            _take_in(seen.setdefault(entry.pid, []), entry)
        elif entry.sql:
            changes = seen.pop(entry.pid, [])
            if model.changes_something(entry.sql):
                yield from _parts(entry, changes, model.end_of_transaction(log, entry))


def _take_in(changes: list[_Change], entry: Logged) -> None:
    told = json.loads(entry.message.removeprefix(SAW))
    if told["kind"] == "start":
        changes.append(_Change(tag=told["tag"], began=entry.at, ended=entry.at))
    elif told["kind"] == "rewrite" and changes:
        changes[-1].rewritten.append(told["table"])
    elif told["kind"] == "end" and changes:
        changes[-1].ended = entry.at
        changes[-1].locks = [(table, mode) for table, mode in told["locks"]]


def _parts(entry: Logged, changes: list[_Change], transaction_end: float) -> Iterator[_Span]:
    """Return the statements of an entry: tools send whole files as one text."""
    now, waiting = entry.at - entry.seconds, list(changes)
    parts = [part.sql for part in sql.split(entry.sql)]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        own: list[_Change] = []
        while waiting and (last or sql.is_tagged(part, waiting[0].tag)):
            own.append(waiting.pop(0))
            if not last:
                break
        ended = own[-1].ended if own else waiting[0].began if waiting else entry.at
        if last:
            ended = entry.at
        if model.changes_something(part):
            yield _Span(
                session=entry.pid,
                statement=part,
                began=now,
                ended=max(now, ended),
                transaction_end=transaction_end,
                changes=own,
            )
        now = max(now, ended)


def _lock(spans: Sequence[_Span], existing: Collection[str]) -> None:
    """Say which locks each statement took that its transaction did not have already."""
    held: dict[tuple[int, float], set[tuple[str, str]]] = {}
    for span in spans:
        had = held.setdefault((span.session, span.transaction_end), set())
        taken = [lock for change in span.changes for lock in change.locks]
        if not taken:
            taken = list(_known(span.statement))
        new = [lock for lock in dict.fromkeys(taken) if lock not in had and lock[0] in existing]
        had.update(new)
        seconds = span.transaction_end - span.began
        span.locks = tuple(Lock(table, mode, seconds) for table, mode in new)


def _known(statement: str) -> Iterator[tuple[str, str]]:
    for tag, mode in _WITHOUT_TRIGGER:
        if sql.is_tagged(statement, tag):
            yield short(sql.table(statement)), mode


def short(table: str) -> str:
    """Return the name of a table as people say it: without the schema that is meant anyway."""
    return table.removeprefix("public.")


def _culprit(spans: Sequence[_Span], wait: Wait) -> int | None:
    """Return the statement that somebody waited for: the one that locked the table, else the one
    that ran then."""
    during = [
        index
        for index, span in enumerate(spans)
        if span.began - CLOCK_SECONDS <= wait.began <= span.transaction_end + CLOCK_SECONDS
    ]
    locking = [n for n in during if any(one.table == wait.table for one in spans[n].locks)]
    running = [n for n in during if spans[n].ended >= wait.began]
    return next(iter([*(locking if wait.table else ()), *running, *during]), None)
