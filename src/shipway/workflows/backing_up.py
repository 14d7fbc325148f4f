"""The steps of `back_up` and `check_backups`, and what is looked after between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipway.database.backups import keeping, model
from shipway.database.backups.keeping import Site
from shipway.database.backups.model import BackupKind, Operation, Result
from shipway.kit import clock, disk, durable, errors, log
from shipway.workflows import backed_up
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

_log = log.get("backups")


@dataclass(frozen=True, kw_only=True)
class Into:
    """One repository of an operation. ``trouble`` is what was wrong before it began."""

    name: str
    number: int
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Work:
    """An operation that has begun."""

    operation: str
    app: str
    environment: str
    kind: BackupKind
    into: tuple[Into, ...]


class BackingUp:
    """The steps, each safe to run twice."""

    def __init__(self, on: Platform) -> None:
        self._on = on

    @durable.step
    async def begin(self, operation: str) -> Work:
        """Find out what is asked for."""
        return await self._begin(operation)

    @durable.step
    async def prepare(self, operation: str) -> Work:
        """Make the repositories ready, and have the server archive into them."""
        work = await self._begin(operation)
        trouble = await self._on.backups.prepare(await self._site(work))
        into = [
            Into(name=one.name, number=one.number, trouble=trouble.get(one.number, ""))
            for one in work.into
        ]
        return Work(
            operation=work.operation,
            app=work.app,
            environment=work.environment,
            kind=work.kind,
            into=tuple(into),
        )

    @durable.step
    async def take(self, into: Into, work: Work) -> Result:
        """Take a backup into one repository, unless the one that was asked for is there."""
        if into.trouble:
            return _bad(into, into.trouble)
        site = await self._site(work)
        await self._say(work, f"A {work.kind} backup goes into {_lower(into)}.")
        try:
            taken = await self._taken(site, into, work)
            if not taken:
                await self._on.backups.take(site, into.number, work.kind)
            good, sentence = await self._on.backups.look(site, into.number)
            backups = await self._on.backups.records.backups(site.app, site.environment)
        except (errors.Failed, errors.NotFound) as error:
            return _bad(into, str(error))
        newest = backups[into.number][-1]
        if newest.broken:
            return _bad(into, f"{newest.label} holds pages that do not match their checksums.")
        if not good:
            return _bad(into, sentence)
        took = (newest.ended - newest.began).total_seconds()
        return Result(
            repository=into.number,
            good=True,
            sentence=f"{keeping.named(into.number)} has {newest.label}: {disk.shown(newest.size)},"
            f" {disk.shown(newest.stored)} of it new, in {took:.0f} s.",
        )

    @durable.step
    async def check(self, into: Into, work: Work) -> Result:
        """Look for gaps in the log of one repository, and compare all of it with its checksums."""
        site = await self._site(work)
        await self._say(work, f"{keeping.named(into.number)} is verified.")
        try:
            good, sentence = await self._on.backups.look(site, into.number)
            complaints = await self._on.backups.verify(site, into.number)
        except (errors.Failed, errors.NotFound) as error:
            return _bad(into, str(error))
        if complaints:
            broken = f"{keeping.named(into.number)} is damaged: {' '.join(complaints)[:600]}"
            return _bad(into, broken if good else f"{sentence} {broken}")
        intact = " Every checksum holds." if good else ""
        return Result(repository=into.number, good=good, sentence=f"{sentence}{intact}")

    @durable.step
    async def settle(self, operation: str, results: Sequence[Result]) -> Outcome:
        """Record what came of it, and raise an incident where a repository failed."""
        found = await self._on.backups.records.operation(operation)
        good = all(one.good for one in results)
        sentence = " ".join(one.sentence for one in results)
        return await self._end(found, sentence, tuple(results), good=good)

    @durable.step
    async def fail(self, operation: str, why: str) -> Outcome:
        """End what could not be done."""
        found = await self._on.backups.records.operation(operation)
        return await self._end(found, why, (), good=False)

    async def _begin(self, operation: str) -> Work:
        on = self._on
        found = await on.backups.records.operation(operation)
        site = await backed_up.site_of(on, found.app, found.environment)
        await on.backups.records.begin(operation)
        there = await on.backups.repositories(site)
        wanted = found.arguments.get("repositories") or there
        return Work(
            operation=operation,
            app=found.app,
            environment=found.environment,
            kind=found.arguments.get("type", "incr"),
            into=tuple(
                Into(name=f"repository {number}", number=number)
                for number in there
                if number in wanted
            ),
        )

    async def _taken(self, site: Site, into: Into, work: Work) -> bool:
        """Whether the backup was finished before this step was cut off."""
        asked = (await self._on.backups.records.operation(work.operation)).created
        target = await self._on.backups.target(site)
        held = await self._on.backups.engine.backups(target, into.number)
        # pgBackRest counts whole seconds.
        return any(one.began >= asked.replace(microsecond=0) for one in held)

    async def _site(self, work: Work) -> Site:
        return await backed_up.site_of(self._on, work.app, work.environment)

    async def _say(self, work: Work, sentence: str) -> None:
        await self._on.backups.records.say(work.operation, sentence)

    async def _end(
        self, found: Operation, sentence: str, results: Sequence[Result], *, good: bool
    ) -> Outcome:
        on = self._on
        await on.backups.records.end(found.id, sentence, results, good=good, now=clock.now())
        told = _log.info if good else _log.warning
        told(f"{found.kind}.ended", operation=found.id, sentence=sentence)
        if not good:
            await on.outbox.put(
                f"{found.kind}.failed",
                app=found.app,
                subject=found.id,
                sentence=f"The {found.kind} of {found.app} in {found.environment} failed: {sentence}",
                evidence={"environment": found.environment},
            )
        return Outcome(good=good, sentence=sentence)


def _bad(into: Into, why: str) -> Result:
    return Result(
        repository=into.number, good=False, sentence=f"{keeping.named(into.number)}: {why}"
    )


def _lower(into: Into) -> str:
    name = keeping.named(into.number)
    return name[0].lower() + name[1:]


async def look_after(on: Platform) -> None:
    """Ask each server how its archiving goes, and tell once a day of what is late."""
    for site in await backed_up.sites(on):
        archiver = None
        try:
            archiver = await on.backups.observe(site)
        except errors.Unavailable as error:
            _log.warning("archiving.unknown", database=str(site), why=str(error))
        await _tell_of_alarms(on, site, archiver)


async def _tell_of_alarms(on: Platform, site: Site, archiver: model.Archiver | None) -> None:
    records, now = on.backups.records, clock.now()
    since = await records.since(site.app, site.environment)
    if since is None:
        return
    taken = await _taken(on, site)
    for event, sentence in model.alarms(now, site.schedule, taken, archiver, since=since):
        await on.outbox.put(
            event,
            app=site.app,
            subject=f"{site.app}/{site.environment}:{now:%Y-%m-%d}",
            sentence=f"{site}: {sentence}",
            evidence={"environment": site.environment},
        )


async def due(
    on: Platform, site: Site
) -> tuple[str, model.OperationKind, dict[str, object]] | None:
    """Return what should have begun by now in an environment: its id, kind and arguments."""
    records, now = on.backups.records, clock.now()
    tried = await records.operations(site.app, site.environment)
    where = f"{site.app}.{site.environment}"
    if wanted := model.due(now, site.schedule, await _taken(on, site), tried):
        numbers = "".join(map(str, wanted.repositories))
        prefix = f"backup:{where}:{wanted.kind}:{numbers}:{wanted.slot:%Y-%m-%dT%H}:"
        attempts = sum(one.id.startswith(prefix) for one in tried)
        return (
            f"{prefix}{attempts}",
            "backup",
            {"type": wanted.kind, "repositories": list(wanted.repositories)},
        )
    archives = await records.archives(site.app, site.environment)
    slot = model.full_slot(now, site.schedule)
    if archives and not any(one.kind == "check" and one.created >= slot for one in tried):
        return f"check:{where}:{slot:%Y-%m-%d}", "check", {}
    return None


async def _taken(on: Platform, site: Site) -> dict[int, list[model.Backup]]:
    """Return the backups of every repository that there should be."""
    held = await on.backups.records.backups(site.app, site.environment)
    return {number: held.get(number, []) for number in await on.backups.repositories(site)}
