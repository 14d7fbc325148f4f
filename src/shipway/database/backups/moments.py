"""Which moment is meant, and from where it can be brought back. Pure decisions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.database.backups import model
from shipway.database.backups.model import Backup, Reach
from shipway.kit import errors

NEWEST = "newest"
BEFORE = "before "

_HOW = (
    "Name a time such as '2026-11-22 14:03' (UTC, or with an offset), 'newest', a release such as"
    " v12 (the last moment before the next one), or 'before' and a migration."
)


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A deployment that was live: the release, when its migration began, and the schema after."""

    version: str
    began: datetime.datetime
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a restore begins with. ``at`` is None for the newest moment."""

    repository: int
    backup: str
    size: int
    at: datetime.datetime | None
    until: datetime.datetime
    """The newest moment that this repository can bring back."""


def moment(asked: str, now: datetime.datetime, lived: Sequence[Lived]) -> datetime.datetime | None:
    """Return the moment that somebody means, None for the newest. ``lived`` begins with the latest.

    Raises `errors.Invalid` for what means nothing, and for the future.
    """
    words = asked.strip()
    if words in {"", NEWEST, "latest", "now"}:
        return None
    if words.lower().startswith(BEFORE):
        return _before_migration(words[len(BEFORE) :].strip(), lived)
    if words[:1] == "v" and words[1:2].isdecimal():
        return _last_of_release(words, lived)
    return _time(words, now)


def _time(words: str, now: datetime.datetime) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(words.removesuffix(" UTC"))
    except ValueError as error:
        raise errors.Invalid(f"{words!r} is no moment.", fix=_HOW) from error
    at = found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found
    at = at.astimezone(datetime.UTC)
    if at > now:
        raise errors.Invalid(f"{shown(at)} is in the future: it is {shown(now)}.")
    return at


def _before_migration(name: str, lived: Sequence[Lived]) -> datetime.datetime:
    for one in lived:
        if one.after != one.before and name in {one.after, one.version}:
            return one.began
    known = ", ".join(one.after for one in lived if one.after != one.before) or "none"
    raise errors.Invalid(f"No migration {name!r} has run here.", fix=f"These have: {known}.")


def _last_of_release(version: str, lived: Sequence[Lived]) -> datetime.datetime | None:
    following: datetime.datetime | None = None
    for one in lived:
        if one.version == version:
            return following
        following = one.began
    known = ", ".join(dict.fromkeys(one.version for one in lived)) or "none"
    raise errors.Invalid(f"{version} was never live here.", fix=f"These were: {known}.")


def choose(
    at: datetime.datetime | None,
    reaches: Mapping[int, Reach],
    backups: Mapping[int, Sequence[Backup]],
    *,
    repository: int | None = None,
) -> Choice:
    """Return from which repository and backup a moment is brought back.

    The one that was asked for, else the first that has the moment: the folder is the nearer one.
    The backup is the newest before the moment, so that little has to be replayed. Raises
    `errors.Refused` with what can be restored instead.
    """
    numbers = [repository] if repository else sorted(reaches)
    for number in numbers:
        reach = reaches.get(number, Reach())
        spans = [span for span in reach.spans if at is None or span.since <= at <= span.until]
        if not spans or reach.latest is None:
            continue
        span = max(spans, key=lambda one: one.since)
        if at is None and span.until < reach.latest:
            span = max(reach.spans, key=lambda one: (one.until, one.since))
        held = {one.label: one for one in backups.get(number, ())}
        return Choice(
            repository=number,
            backup=span.backup,
            size=held[span.backup].size,
            at=at,
            until=reach.latest,
        )
    raise errors.Refused(_why_not(at, {n: reaches.get(n, Reach()) for n in numbers}))


def _why_not(at: datetime.datetime | None, reaches: Mapping[int, Reach]) -> str:
    stretches = [
        f"from {shown(since)} to {shown(until)}"
        for reach in reaches.values()
        for since, until in model.merged(reach.spans)
    ]
    if not stretches:
        return "There is no backup yet from which anything could be restored"
    what = f"{shown(at)} cannot be restored" if at else "Nothing can be restored"
    return f"{what}: what can be is {', and '.join(dict.fromkeys(stretches))}"


def shown(at: datetime.datetime) -> str:
    """Return a moment as people are told of it."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One table, in the live database and in the copy: rows, None where there is no such table."""

    table: str
    live: int | None
    copy: int | None

    @property
    def differs(self) -> bool:
        return self.live != self.copy


def differences(live: Mapping[str, int], copy: Mapping[str, int]) -> tuple[Difference, ...]:
    """Compare the rows of all tables, those that differ first."""
    found = [
        Difference(table=name, live=live.get(name), copy=copy.get(name))
        for name in sorted({*live, *copy})
    ]
    return tuple(sorted(found, key=lambda one: not one.differs))


def preview(choice: Choice, now: datetime.datetime, lived: Sequence[Lived]) -> tuple[str, ...]:
    """Say what a restore would do, and what would be lost by putting the copy in place."""
    at = choice.at or choice.until
    undone = [
        one for one in lived if choice.at and one.began > choice.at and one.after != one.before
    ]
    taken = (
        f"{choice.backup} ({choice.size / 1e6:.1f} MB) would be restored from repository"
        f" {choice.repository}, beside the live database, which serves on."
    )
    lost = (
        f"Putting the copy in place would take back what was written in the last {_span(now - at)}."
    )
    sentences = [taken, f"The log would be replayed until {shown(at)}.", lost]
    if undone:
        heads = ", ".join(one.after for one in undone)
        sentences.append(
            f"It would also take back the schema to {undone[-1].before or 'its beginning'}"
            f" (without {heads}): releases that need those would have to be rolled back."
        )
    return tuple(sentences)


def _span(time: datetime.timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 180 else f"{minutes // 60} hours"
