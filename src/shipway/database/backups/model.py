"""Backups: the words, and what is decided about them. No I/O."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shipway.database.backups import wal
from shipway.database.backups.wal import Lineage, Segment

BackupKind = Literal["full", "diff", "incr"]
OperationKind = Literal["backup", "check", "restore", "promote", "bring_back", "discard"]

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
FULL_AT = datetime.timedelta(hours=2)
"""After midnight (UTC) a day's full backup is due."""

RETRY = datetime.timedelta(minutes=10)
"""So long after a backup that failed, the same is tried again."""

TOLD_GAPS = 5


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When an environment is backed up. ``archive_seconds`` bounds how long a change may lie in no
    repository while little happens; ``places`` is how many repositories the policy asks for.
    """

    full: datetime.timedelta = DAY
    incremental: datetime.timedelta | None
    archive_seconds: int
    keep_days: int
    places: int


SCHEDULES: Mapping[str, Schedule] = {
    "daily": Schedule(incremental=None, archive_seconds=600, keep_days=7, places=1),
    "continuous": Schedule(incremental=HOUR, archive_seconds=60, keep_days=30, places=2),
}
"""By the policy's value of ``backups``; "none" has none."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket of the S3 protocol where backups go besides the folder. ``secret`` is sealed.

    ``endpoint`` is ``host`` or ``host:port``, always over TLS; ``ca`` are certificates (PEM) for one
    that is signed by an authority of its own.
    """

    endpoint: str
    bucket: str
    path: str = "/"
    region: str = "us-east-1"
    key_id: str
    secret: bytes = field(repr=False)
    ca: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        return f"s3://{self.bucket}{self.path.rstrip('/')} at {self.endpoint}"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One backup in one repository. ``first`` and ``last`` are the segments of write-ahead log
    that make it whole; ``size`` is the database's, ``stored`` what it added, in bytes."""

    label: str
    kind: BackupKind
    began: datetime.datetime
    ended: datetime.datetime
    first: str
    last: str
    size: int
    stored: int
    prior: str = ""
    broken: bool = False
    """Pages failed their checksums while it was taken: it is no good."""


@dataclass(frozen=True, kw_only=True)
class Archived:
    """A segment in a repository, and when it arrived there."""

    segment: Segment
    at: datetime.datetime
    size: int


@dataclass(frozen=True, kw_only=True)
class Span:
    """Every moment from ``since`` to ``until`` can be restored, beginning with a backup."""

    since: datetime.datetime
    until: datetime.datetime
    backup: str


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What one repository can bring back: spans, the oldest first, and segments that are missing."""

    spans: tuple[Span, ...] = ()
    missing: tuple[str, ...] = ()
    newest: str = ""
    """The newest segment there."""

    @property
    def whole(self) -> bool:
        return not self.missing

    @property
    def latest(self) -> datetime.datetime | None:
        """The newest moment that can be restored."""
        return max((span.until for span in self.spans), default=None)


@dataclass(frozen=True, kw_only=True)
class Archiver:
    """What the live server tells of its archiving (``pg_stat_archiver``)."""

    last: str
    last_at: datetime.datetime | None
    failed: int
    failed_at: datetime.datetime | None
    on: bool
    """Off when it waits for the server's next start."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one repository in an operation."""

    repository: int
    good: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something done about an environment's backups, by a person or by itself (``by`` is empty)."""

    id: str
    app: str
    environment: str
    kind: OperationKind
    arguments: Mapping[str, Any]
    by: str
    state: Literal["waiting", "running", "succeeded", "failed"]
    sentence: str
    results: tuple[Result, ...]
    created: datetime.datetime
    ended: datetime.datetime | None

    @property
    def over(self) -> bool:
        return self.ended is not None


@dataclass(frozen=True, kw_only=True)
class Due:
    """A backup that should have begun by now. The same slot again is the same backup."""

    kind: BackupKind
    repositories: tuple[int, ...]
    slot: datetime.datetime


# --- what is due ---------------------------------------------------------------------------------


def due(
    now: datetime.datetime,
    schedule: Schedule,
    taken: Mapping[int, Sequence[Backup]],
    tried: Sequence[Operation] = (),
) -> Due | None:
    """Return the backup that is due, or None. ``taken`` has every repository; full ones come first.

    After downtime one backup makes up for all that were missed. One that failed is tried again
    after `RETRY`.
    """
    wanted = {number: _due_in(now, schedule, backups) for number, backups in taken.items()}
    for kind, slot in (("full", full_slot(now, schedule)), ("incr", _slot(now, schedule))):
        numbers = tuple(sorted(number for number, one in wanted.items() if one == kind))
        ready = tuple(number for number in numbers if not _tried_lately(now, number, tried))
        if ready:
            return Due(kind="full" if kind == "full" else "incr", repositories=ready, slot=slot)
    return None


def _due_in(
    now: datetime.datetime, schedule: Schedule, backups: Sequence[Backup]
) -> BackupKind | None:
    good = [one for one in backups if not one.broken]
    if not any(one.kind == "full" and one.began >= full_slot(now, schedule) for one in good):
        return "full"
    if schedule.incremental and not any(one.began >= _slot(now, schedule) for one in good):
        return "incr"
    return None


def full_slot(now: datetime.datetime, schedule: Schedule) -> datetime.datetime:
    """Return when the newest full backup should have begun."""
    return _floor(now - FULL_AT, schedule.full) + FULL_AT


def _slot(now: datetime.datetime, schedule: Schedule) -> datetime.datetime:
    return _floor(now, schedule.incremental or schedule.full)


def _floor(moment: datetime.datetime, step: datetime.timedelta) -> datetime.datetime:
    epoch = datetime.datetime.fromtimestamp(0, datetime.UTC)
    return moment - (moment - epoch) % step


def _tried_lately(now: datetime.datetime, number: int, tried: Sequence[Operation]) -> bool:
    """Whether a backup there is under way, or failed a moment ago."""
    for one in tried:
        if one.kind != "backup" or number not in one.arguments.get("repositories", ()):
            continue
        if one.ended is None:
            return True
        bad = any(r.repository == number and not r.good for r in one.results) or not one.results
        if bad and now - one.ended < RETRY:
            return True
    return False


# --- what can be restored ------------------------------------------------------------------------


def reach(backups: Sequence[Backup], archive: Sequence[Archived], lineage: Lineage) -> Reach:
    """Return which moments a repository can bring back, and what is missing there.

    From the oldest good backup to the newest segment nothing may be missing. Backups of timelines
    that were left are not offered: their moments belong to a history that was given up.
    """
    present = {one.segment: one for one in archive}
    good = [one for one in backups if not one.broken and lineage.has(Segment.named(one.first))]
    if not good or not archive:
        lacking = tuple(one.first for one in good)
        return Reach(missing=lacking, newest=_newest(archive, lineage))
    spans = []
    for one in good:
        end = wal.reach(Segment.named(one.first), present, lineage)
        if end is not None and end.number >= Segment.named(one.last).number:
            until = max(present[end].at, one.ended)
            spans.append(Span(since=one.ended, until=until, backup=one.label))
    newest = _newest(archive, lineage)
    first = min(Segment.named(one.first) for one in good)
    last = max([Segment.named(newest), *(Segment.named(one.last) for one in good)])
    gaps = wal.missing(first, last, present, lineage)
    return Reach(spans=tuple(spans), missing=tuple(map(str, gaps)), newest=newest)


def _newest(archive: Sequence[Archived], lineage: Lineage) -> str:
    own = [one.segment for one in archive if lineage.has(one.segment)]
    return str(max(own)) if own else ""


def current(found: Reach, archiver: Archiver | None) -> Reach:
    """Return what can be brought back now: when archiving goes well, every repository has had what
    was archived since it was looked at."""
    return extended(found, archived_until(archiver))


def archived_until(archiver: Archiver | None) -> datetime.datetime | None:
    """Return until when everything has reached every repository; None when that is not known."""
    if archiver is None or archiver.last_at is None:
        return None
    fails = archiver.failed_at is not None and archiver.failed_at > archiver.last_at
    return None if fails else archiver.last_at


def extended(found: Reach, until: datetime.datetime | None) -> Reach:
    """Return what can be brought back when the log goes on until a moment."""
    if until is None or not (found.whole and found.spans):
        return found
    spans = tuple(
        dataclasses.replace(span, until=until)
        if found.latest and span.until == found.latest < until
        else span
        for span in found.spans
    )
    return dataclasses.replace(found, spans=spans)


def merged(spans: Iterable[Span]) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """Tell the stretches of time that spans cover together."""
    ordered = sorted(spans, key=lambda one: one.since)
    for _, group in itertools.groupby(_numbered(ordered), key=lambda pair: pair[0]):
        together = [span for _, span in group]
        yield together[0].since, max(one.until for one in together)


def _numbered(ordered: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    number, until = 0, None
    for span in ordered:
        if until is not None and span.since > until:
            number += 1
        until = max(span.until, until) if until else span.until
        yield number, span


def continuity(repository: str, found: Reach) -> tuple[bool, str]:
    """Say whether the log of a repository is unbroken, in a sentence."""
    if found.whole and found.spans:
        return True, f"{repository} has every segment up to {found.newest}."
    if found.whole:
        return False, f"{repository} has no backup that could be restored."
    names = ", ".join(found.missing[:TOLD_GAPS])
    more = len(found.missing) - TOLD_GAPS
    rest = f" and {more} more" if more > 0 else ""
    return False, (
        f"{repository} lacks {len(found.missing)} segment(s) of write-ahead log: {names}{rest}."
        " Moments behind the gap cannot be restored until the next backup."
    )


# --- what is alarming ----------------------------------------------------------------------------


def alarms(
    now: datetime.datetime,
    schedule: Schedule,
    taken: Mapping[int, Sequence[Backup]],
    archiver: Archiver | None,
    *,
    since: datetime.datetime,
) -> tuple[tuple[str, str], ...]:
    """Return what should worry somebody: (what kind, a sentence).

    ``since`` is when the environment began to be backed up: nothing is late before.
    """
    found = [
        (f"backup.stale.{number}", sentence)
        for number, backups in sorted(taken.items())
        if (sentence := _stale(now, schedule, number, backups, since))
    ]
    if archiver and (sentence := _silent(now, schedule, archiver)):
        found.append(("archive.stale", sentence))
    return tuple(found)


def _stale(
    now: datetime.datetime,
    schedule: Schedule,
    number: int,
    backups: Sequence[Backup],
    since: datetime.datetime,
) -> str:
    """A backup is late when twice the time between two has passed."""
    newest = max((one.ended for one in backups if not one.broken), default=None)
    patience = 2 * (schedule.incremental or schedule.full)
    late = now - (newest or since)
    if late <= patience:
        return ""
    last = f"The last good backup in repository {number} is {_worded(late)} old"
    none = f"Repository {number} has had no good backup for {_worded(late)}"
    return f"{last if newest else none}; there should be one every {_worded(patience / 2)}."


def _silent(now: datetime.datetime, schedule: Schedule, archiver: Archiver) -> str:
    """The archive is behind when the last attempt failed, and has for a while."""
    if not archiver.on:
        return "Nothing is archived: archive_mode takes effect when the server starts again."
    failed, last = archiver.failed_at, archiver.last_at
    if failed is None or (last is not None and last >= failed):
        return ""
    behind = now - last if last else None
    if behind is not None and behind < datetime.timedelta(seconds=5 * schedule.archive_seconds):
        return ""
    since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "yet"
    return f"No write-ahead log has been archived {since}: {archiver.failed} attempt(s) failed."


def _worded(time: datetime.timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 72 else f"{hours // 24} days"
