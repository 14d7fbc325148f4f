"""The steps of `restore`, `promote`, `bring_back` and `discard`, each safe to run twice."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from shipway.database.backups import keeping, moments
from shipway.database.backups.keeping import Site
from shipway.database.backups.model import Operation
from shipway.database.backups.moments import Choice
from shipway.database.backups.recovering import RECOVERY, Arrival, Recoveries
from shipway.kit import clock, disk, durable, errors, log
from shipway.runtime.port import OnLine
from shipway.workflows import backed_up, choosing, names
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

ARCHIVED_SECONDS = 30.0
"""So long a restore waits for what was written last to be archived."""

TOLD_TABLES = 8

_PERCENT = re.compile(r"(?P<percent>\d+(?:\.\d+)?)%\)")
_log = log.get("restoring")


class Restoring:
    """What is done about the copy of a database."""

    def __init__(self, on: Platform) -> None:
        self._on = on
        self._standing = on.backups.records.standing
        self._recoveries = Recoveries(on.keeper, on.settings.home, on.clusters, on.backups)

    # Bringing up

    @durable.step
    async def claim(self, operation: str) -> None:
        """Take the place of the copy, of which there is one for each database."""
        found, site = await self._begin(operation)
        await self._standing.claim(
            site.app, site.environment, operation, str(found.arguments.get("to") or moments.NEWEST)
        )

    @durable.step
    async def choose(self, operation: str) -> Choice:
        """Decide from where the moment is brought back, after all that was written is archived."""
        on, (found, site) = self._on, await self._begin(operation)
        await self._say(operation, "What was written last is archived.")
        now = clock.now()
        archived = now if await self._flush(site) else None
        for number in await on.backups.repositories(site):
            with contextlib.suppress(errors.Failed):
                await on.backups.look(site, number)
        choice = await choosing.choose(
            on.backups.records,
            await choosing.history(self._standing, on.releases, site),
            site,
            str(found.arguments.get("to") or ""),
            found.arguments.get("repository"),
            archived=archived,
        )
        await self._standing.choose(site.app, site.environment, choice)
        return choice

    @durable.step
    async def fetch(self, operation: str, choice: Choice) -> None:
        """Restore the files of the backup."""
        _, site = await self._begin(operation)
        what = f"{choice.backup} of {disk.shown(choice.size)} is restored"
        async with self._progress(operation, what) as heard:
            await self._recoveries.fetch(site, RECOVERY, choice, on_line=heard)

    @durable.step
    async def replay(self, operation: str, choice: Choice) -> Arrival:
        """Start the copy and have it replay the log up to the moment."""
        _, site = await self._begin(operation)
        until = moments.shown(choice.at) if choice.at else "its end"
        await self._say(operation, f"The log is replayed until {until}.")
        return await self._recoveries.start(site, RECOVERY, choice)

    @durable.step
    async def compare(self, operation: str, choice: Choice, arrival: Arrival) -> Outcome:
        """Say what is different in the copy."""
        on, (found, site) = self._on, await self._begin(operation)
        await self._say(operation, "Rows are counted.")
        copy = await self._recoveries.rows(site, RECOVERY)
        try:
            live = await self._recoveries.rows(site, None)
        except errors.Unavailable:
            live = {}
        differ = moments.differences(live, copy)
        head = choosing.head_at(choice, await choosing.history(self._standing, on.releases, site))
        await self._standing.stand(site.app, site.environment, arrival.newest, head, differ)
        names_ = [one.table for one in differ if one.differs]
        told = f"{len(names_)} of {len(differ)} tables differ: {', '.join(names_[:TOLD_TABLES])}"
        different = told if names_ else f"none of {len(differ)} tables differs in its rows"
        newest = f", its last change {moments.shown(arrival.newest)}" if arrival.newest else ""
        where = keeping.named(choice.repository).lower()
        sentence = (
            f"A copy of {site} as of {moments.shown(choice.at) if choice.at else 'its newest moment'}"
            f" stands beside it, from {where}{newest}. Schema at {head or 'its beginning'};"
            f" {different}."
        )
        return await self._end(found, sentence, good=True)

    @durable.step
    async def give_up(self, operation: str, why: str) -> Outcome:
        """Remove what a restore that failed has left. Another one's copy stays."""
        on, found = self._on, await self._on.backups.records.operation(operation)
        standing = await self._standing.find(found.app, found.environment)
        if standing and standing.operation == operation:
            with contextlib.suppress(errors.Refused):
                site = await backed_up.site_of(on, found.app, found.environment)
                await self._recoveries.take_down(site, RECOVERY)
            await self._standing.forget(found.app, found.environment)
        return await self._end(found, why, good=False)

    # Using it

    @durable.step
    async def secure(self, operation: str) -> str:
        """See that what is live until now can be restored too. Returns a sentence."""
        _, site = await self._begin(operation)
        await self._standing.get(site.app, site.environment)
        now = clock.now()
        if await self._flush(site):
            return f"What was live can be restored: --to '{moments.shown(now)}'."
        return "What was live last was not archived: it is kept beside, and nowhere else."

    @durable.step
    async def put_in_place(self, operation: str) -> None:
        """Stop the live server, and start the copy in its place: from here there is no way back
        but the same way."""
        _, site = await self._begin(operation)
        await self._say(operation, "The copy takes the place of the live database.")
        copy = await self._standing.get(site.app, site.environment)
        await self._standing.promote(site.app, site.environment)
        try:
            await self._recoveries.put_in_place(site, RECOVERY, copy.repository, copy.target)
        except errors.Failed:
            await self._standing.take_back(site.app, site.environment)
            raise

    @durable.step
    async def ask_for_backup(self, operation: str) -> durable.Start:
        """Have the new live database as every other is, and a full backup asked for."""
        on, (found, site) = self._on, await self._begin(operation)
        await on.clusters.ensure(site.app, site.environment)
        asked = await on.backups.records.ask(
            f"{operation}:backup", site.app, site.environment, "backup", {"type": "full"}, found.by
        )
        return names.operation(asked)

    @durable.step
    async def settle(self, operation: str, secured: str) -> Outcome:
        """Record that the copy is the live database now."""
        found, site = await self._begin(operation)
        await self._standing.forget(site.app, site.environment)
        sentence = (
            f"The copy is live in {site.environment}. {secured} The data before is kept beside it:"
            " `shipway db discard` removes it. A full backup begins."
        )
        return await self._end(found, sentence, good=True)

    @durable.step
    async def bring_back(self, operation: str) -> Outcome:
        """Copy rows of the named tables into the live database, in one transaction for each."""
        found, site = await self._begin(operation)
        await self._standing.get(site.app, site.environment)
        replace = bool(found.arguments.get("replace"))
        told = []
        for table in found.arguments["tables"]:
            await self._say(operation, f"Rows of {table} are copied.")
            count = await self._recoveries.bring_back(site, RECOVERY, table, replace=replace)
            told.append(f"{count} row(s) of {table}")
        return await self._end(found, f"{', '.join(told)} came back.", good=True)

    @durable.step
    async def discard(self, operation: str) -> Outcome:
        """Remove the copy, and what a promotion has kept."""
        found, site = await self._begin(operation)
        standing = await self._standing.find(site.app, site.environment)
        if standing and standing.state == "promoting":
            raise errors.Conflict(
                f"The copy of {site} is being put in place.",
                fix="`shipway db promote` goes on where that was cut off.",
            )
        await self._recoveries.take_down(site, RECOVERY)
        await self._recoveries.remove_replaced(site)
        await self._standing.forget(site.app, site.environment)
        sentence = f"Nothing stands beside the database of {site} any more."
        return await self._end(found, sentence, good=True)

    @durable.step
    async def fail(self, operation: str, why: str) -> Outcome:
        """End what could not be done. The copy stays as it is."""
        return await self._end(await self._on.backups.records.operation(operation), why, good=False)

    # How

    async def _begin(self, operation: str) -> tuple[Operation, Site]:
        records = self._on.backups.records
        found = await records.operation(operation)
        await records.begin(operation)
        return found, await backed_up.site_of(self._on, found.app, found.environment)

    async def _flush(self, site: Site) -> bool:
        """Have all that is written archived. False when the live database cannot."""
        try:
            return await self._on.backups.flush(site, ARCHIVED_SECONDS)
        except errors.Unavailable as error:
            _log.warning("restore.without_live", database=str(site), why=str(error))
            return False

    @contextlib.asynccontextmanager
    async def _progress(self, operation: str, what: str) -> AsyncIterator[OnLine]:
        """Keep how far something has come, each second, while the block hears lines of it."""
        percent = [""]

        def heard(line: str) -> None:
            if found := _PERCENT.search(line):
                percent[0] = f": {float(found['percent']):.0f} %"

        async def tell() -> None:
            while True:
                await self._say(operation, f"{what}{percent[0]}.")
                await asyncio.sleep(1)  # progress, once a second

        telling = asyncio.create_task(tell())
        try:
            yield heard
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _say(self, operation: str, sentence: str) -> None:
        await self._on.backups.records.say(operation, sentence)

    async def _end(self, found: Operation, sentence: str, *, good: bool) -> Outcome:
        on = self._on
        await on.backups.records.end(found.id, sentence, good=good, now=clock.now())
        told = _log.info if good else _log.warning
        told(f"{found.kind}.ended", operation=found.id, sentence=sentence)
        if found.kind == "promote" or not good:
            await on.outbox.put(
                f"database.{found.kind}{'d' if good else '.failed'}",
                app=found.app,
                subject=found.id,
                sentence=f"{found.app} in {found.environment}: {sentence}",
                evidence={"environment": found.environment, "by": found.by},
            )
        return Outcome(good=good, sentence=sentence)
