"""Brings the schema of an environment to what a release needs, or leaves everything else alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from shipway.database import clusters, history, model, tool, watching
from shipway.database.model import Logged, Migration, Patience, Report
from shipway.database.records import Begun, Records
from shipway.database.tool import OnLine
from shipway.kit import db, errors
from shipway.runtime.port import Keeper

_STILL_SERVING = "The release before goes on serving. Mend the migration and push again."


class _AttemptFailed(Exception):
    """The command of a migration did not succeed; ``log`` is the server's. Stays in here."""

    def __init__(self, what: str, *, log: Sequence[Logged], output: Sequence[str]) -> None:
        super().__init__(what)
        self.what = what
        self.log = log
        self.output = output


class Migrations:
    """Runs the migrations of all apps, each as its environment's SERVER owner."""

    def __init__(
        self,
        keeper: Keeper,
        database: db.Database,
        of: clusters.Clusters,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._records = Records(database)
        self._clusters = of
        self._patience = patience or Patience()
        self._tool = tool.Tool(keeper, self._patience)

    async def migrate(self, migration: Migration, *, on_line: OnLine | None = None) -> Report:
        """Run a migration and return what it did.

        May be repeated: what a killed worker left is ended first, and a deployment whose
        migration is done gets its report again. Raises `errors.Failed` naming the statement;
        `errors.Conflict` while another migrator is at it; `errors.Unavailable` without a database.
        """
        access = await self._clusters.access(migration.app, migration.environment)
        patience = self._patience.other_migrator
        async with watching.alone(migration, access.admin_url, patience) as watch:
            await watch.end_sessions()
            await self._must_be_unedited(migration)
            before = await self._tool.head(migration)
            done = await self._records.succeeded(migration.deployment)
            if done and done.after == before:
                return done
            begun = await self._records.begin(
                migration, before, await watch.position(), await watch.invalid_indexes()
            )
            await watch.remove_unfinished(begun.unfinished)  # by one that was cut off
            await watch.mark_restore_point(migration.restore_point)
            try:
                return await self._run(migration, begun, watch, on_line)
            except asyncio.CancelledError:
                # A session that waits for a lock does not notice that its program is gone.
                await watch.end_sessions()
                raise

    async def _must_be_unedited(self, migration: Migration) -> None:
        """Raise `errors.Refused` when a file has run here that was another one then."""
        applied = await self._records.applied(migration.app, migration.environment)
        if why := history.refusal(migration.files, applied, migration.environment):
            raise errors.Refused(why)

    async def _run(
        self, migration: Migration, begun: Begun, watch: watching.Watch, on_line: OnLine | None
    ) -> Report:
        """Try until it works or will not, and record which."""
        started = time.monotonic()
        failure, attempts = "", 0
        try:
            attempts = await self._attempts(migration, begun, watch, on_line)
        except _AttemptFailed as error:
            failure = await self._explain(migration, begun, error, watch)
        log = await watch.logged(begun.log_position)
        report = Report(
            before=begun.before,
            after=await self._head_after(migration, failure),
            statements=model.statements(log),
            attempts=attempts,
            seconds=time.monotonic() - started,
        )
        if failure:
            failure = f"{failure} {_where(report)}"
        ran = history.ran(migration.files, report.after, failed=bool(failure))
        await self._records.apply(migration, ran)
        await self._records.end(migration, report, failure=failure)
        if failure:
            raise errors.Failed(failure, fix=_STILL_SERVING)
        return report

    async def _attempts(
        self, migration: Migration, begun: Begun, watch: watching.Watch, on_line: OnLine | None
    ) -> int:
        """Run the command again as long as it fails for a lock; return the number of attempts."""
        for pause in (*self._patience.pauses(), None):
            attempts = await self._records.count_attempt(migration)
            try:
                await self._attempt(migration, watch, on_line)
            except _AttemptFailed as error:
                await watch.end_sessions()
                await watch.remove_unfinished(begun.unfinished)
                if pause is None or not model.waited_for_lock(error.log, error.output):
                    raise
                if on_line:
                    on_line(f"Waited for a lock in vain; trying again in {pause:.1f} s.")
                await asyncio.sleep(pause)
            else:
                return attempts
        raise AssertionError("the last pause is None")

    async def _attempt(
        self, migration: Migration, watch: watching.Watch, on_line: OnLine | None
    ) -> None:
        since = await watch.position()
        try:
            await self._tool.run(migration, migration.argv, on_line)
        except tool.ToolFailed as error:
            log = await watch.logged(since)
            raise _AttemptFailed(error.what, log=log, output=error.output) from error

    async def _head_after(self, migration: Migration, failure: str) -> str:
        """Read the head once more; after a failure one that cannot be read hides nothing."""
        try:
            return await self._tool.head(migration)
        except errors.Failed:
            if failure:
                return "an unknown place"
            raise

    async def _explain(
        self, migration: Migration, begun: Begun, error: _AttemptFailed, watch: watching.Watch
    ) -> str:
        """Tell what failed, at which statement, why, and who was in the way."""
        logged, at = model.last_error(error.log), model.failed_at(error.log)
        if model.waited_for_lock(error.log, error.output):
            who = "; ".join(await watch.holders(error.log)) or "its holder is not known"
            return f"{migration} gave up{at}: it waited for a lock again and again; {who}."
        why = logged.message if logged else " ".join([error.what, *error.output[-3:]])
        if model.missed_the_address(error.output):
            why = (
                f"{why.rstrip('.')}. Its library does not understand the address of a socket: set "
                "by_port = true in [database] of shipway.toml"
            )
        left = ", ".join(await watch.remove_unfinished(begun.unfinished))
        rest = f" Unfinished indexes are left: {left}." if left else ""
        return f"{migration} failed{at}: {why.rstrip('.')}.{rest}"


def _where(report: Report) -> str:
    if report.after == report.before:
        return f"The schema is still at {report.after or 'its beginning'}."
    return f"The schema went from {report.before or 'nothing'} to {report.after} before that."
