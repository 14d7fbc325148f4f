"""What builds have left behind and nobody needs any more. Pure: facts in, removals out.

Age alone removes nothing that is in use: what the caller names as kept stays whatever its age.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shipway.kit import disk
from shipway.kit.settings import Settings

LEAP = datetime.timedelta(days=3)
"""Housekeeping is done daily. A longer pause is a machine that was off, or a clock that jumped."""

UNTOUCHED = datetime.timedelta(days=1)
"""What was touched since then may be about to be used."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How long things stay. Sizes are in bytes."""

    releases: int
    artifacts: datetime.timedelta
    logs: datetime.timedelta
    log_bytes: int
    caches: datetime.timedelta
    cache_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        return cls(
            releases=settings.keep_releases,
            artifacts=datetime.timedelta(days=settings.keep_artifact_days),
            logs=datetime.timedelta(days=settings.keep_log_days),
            log_bytes=int(settings.keep_log_gib * disk.GIB),
            caches=datetime.timedelta(days=settings.keep_cache_days),
            cache_bytes=int(settings.keep_cache_gib * disk.GIB),
        )


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Something that goes. ``what`` names it within its kind: a digest, a run, a path of an
    owner's; ``app`` and ``environment`` say whose it is."""

    kind: str
    what: str
    size: int
    why: str
    app: str = ""
    environment: str = ""

    def __str__(self) -> str:
        of = " ".join(word for word in (self.app, self.environment) if word)
        return f"{self.kind} {self.what}{f' of {of}' if of else ''} ({disk.shown(self.size)}): {self.why}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """An artifact as the record knows it: which runs have made it, and when last."""

    digest: str
    size: int
    runs: Collection[str]
    made: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Found:
    """A folder as it was found: its size, and when anything in it changed last."""

    path: str
    size: int
    changed: datetime.datetime


def artifacts(
    made: Iterable[Made],
    *,
    kept_runs: Collection[str],
    kept: Collection[str],
    policy: Policy,
    now: datetime.datetime,
) -> Iterator[Removal]:
    """Yield the artifacts of no run and no digest that is kept, once they are old enough."""
    for one in made:
        used = one.digest in kept or any(run in kept_runs for run in one.runs)
        if not used and now - one.made > policy.artifacts:
            why = f"no release that is kept has it, and it is {_days(now - one.made)} old"
            yield Removal(kind="artifact", what=one.digest, size=one.size, why=why)


def logs(
    found: Iterable[Found],
    *,
    kept_runs: Collection[str],
    policy: Policy,
    now: datetime.datetime,
) -> Iterator[Removal]:
    """Yield the logs that are too old; then the oldest, until the rest is small enough."""
    staying = []
    for one in found:
        if one.path in kept_runs or now - one.changed <= UNTOUCHED:
            continue
        if now - one.changed > policy.logs:
            yield _log(one, f"it is {_days(now - one.changed)} old")
        else:
            staying.append(one)
    left = sum(one.size for one in staying)
    for one in sorted(staying, key=lambda found: found.changed):
        if left > policy.log_bytes:
            left -= one.size
            yield _log(one, f"all logs are to take {disk.shown(policy.log_bytes)} at most")


def _log(one: Found, why: str) -> Removal:
    return Removal(kind="log", what=one.path, size=one.size, why=why)


def caches(
    app: str, found: Sequence[Found], *, policy: Policy, now: datetime.datetime
) -> Iterator[Removal]:
    """Yield the caches that nobody writes to any more; then the one that was left alone longest,
    until the rest is small enough. What is needed again is fetched or made again."""
    staying = []
    for one in found:
        if now - one.changed > policy.caches:
            why = f"nothing was written to it for {_days(now - one.changed)}"
            yield Removal(kind="cache", what=one.path, size=one.size, why=why, app=app)
        else:
            staying.append(one)
    left = sum(one.size for one in staying)
    for one in sorted(staying, key=lambda found: found.changed):
        if left > policy.cache_bytes:
            left -= one.size
            why = f"the caches of an app are to take {disk.shown(policy.cache_bytes)} at most"
            yield Removal(kind="cache", what=one.path, size=one.size, why=why, app=app)


def leftovers(
    app: str,
    found: Sequence[Found],
    *,
    active_runs: Collection[str],
    installs: Mapping[str, datetime.datetime],
    policy: Policy,
    now: datetime.datetime,
) -> Iterator[Removal]:
    """Yield workspaces of runs that have ended, and installs that no run has used for long.
    ``installs`` are those that a result refers to, with the time of their last use."""
    for one in found:
        area, _, name = one.path.partition("/")
        if now - one.changed <= UNTOUCHED or not name:
            continue
        why = ""
        if area == "runs" and name not in active_runs:
            why = "its run has ended"
        elif area == "installs" and one.path not in installs:
            why = "no result refers to it"
        elif area == "installs" and now - installs[one.path] > policy.caches:
            why = f"no run has used it for {_days(now - installs[one.path])}"
        if why:
            kind = "workspace" if area == "runs" else "install"
            yield Removal(kind=kind, what=one.path, size=one.size, why=why, app=app)


def leapt(last: datetime.datetime | None, now: datetime.datetime) -> str:
    """Say that the clock is not where the last housekeeping has left it, or nothing.

    Everything looks old to a clock that jumped ahead: then nothing goes by its age, this time.
    """
    if last is None or last - LEAP < now < last + LEAP:
        return ""
    ahead = "after" if now > last else "before"
    return (
        f"The clock stands {_days(abs(now - last))} {ahead} the last housekeeping: nothing goes"
        " this time. If the clock is right, the next one removes again."
    )


def summed_up(removals: Sequence[Removal], *, dry_run: bool) -> str:
    """Say in a sentence what went, or would go."""
    if not removals:
        return "Nothing has to go." if dry_run else "Nothing had to go."
    kinds: dict[str, int] = {}
    for one in removals:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    counted = ", ".join(_counted(count, kind) for kind, count in sorted(kinds.items()))
    size = disk.shown(sum(one.size for one in removals))
    return f"{size} {'would go' if dry_run else 'went'}: {counted}."


def _counted(count: int, kind: str) -> str:
    return f"1 {kind}" if count == 1 else f"{count} {kind}s"


def found_by_du(said: Iterable[str]) -> tuple[Found, ...]:
    """Read what ``du --block-size=1 --time --time-style=+%s`` has printed; what it complains of
    is passed over. Folders are foreign: a name that is no plain path is not believed."""
    seen = []
    for line in said:
        size, _, rest = line.partition("\t")
        changed, _, path = rest.partition("\t")
        if size.isdecimal() and changed.isdecimal() and path and path.isprintable():
            at = datetime.datetime.fromtimestamp(int(changed), datetime.UTC)
            seen.append(Found(path=path, size=int(size), changed=at))
    return tuple(seen)


def _days(age: datetime.timedelta) -> str:
    return f"{age.days} days"


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One time of housekeeping. ``by`` is a person, or "" for the daily one; ``removals`` are
    sentences once it has ended."""

    id: str
    by: str
    dry_run: bool
    at: datetime.datetime
    ended: datetime.datetime | None
    sentence: str
    removals: Sequence[str] = field(default=())
