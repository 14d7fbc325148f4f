"""Brings the schema of an environment to what a release needs, or leaves everything else alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from shipway.database import clusters, model, watching
from shipway.database.model import Logged, Migration, Patience, Report
from shipway.database.records import Begun, Records
from shipway.kit import command, db, errors
from shipway.runtime.model import Kind, Owner, Task
from shipway.runtime.port import Keeper

OnLine = Callable[[str], object]

KEPT_LINES = 40
"""Of the output that a failed command leaves."""

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
        self._keeper = keeper
        self._records = Records(database)
        self._clusters = of
        self._patience = patience or Patience()

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
            before = await self._head(migration)
            done = await self._records.succeeded(migration.deployment)
            if done and done.after == before:
                return done
            begun = await self._records.begin(migration, before, await watch.position())
            try:
                return await self._run(migration, begun, watch, on_line)
            except asyncio.CancelledError:
                # A session that waits for a lock does not notice that its program is gone.
                await watch.end_sessions()
                raise

    async def _run(
        self, migration: Migration, begun: Begun, watch: watching.Watch, on_line: OnLine | None
    ) -> Report:
        """Try until it works or will not, and record which."""
        started = time.monotonic()
        failure, attempts = "", 0
        try:
            attempts = await self._attempts(migration, watch, on_line)
        except _AttemptFailed as error:
            failure = await self._explain(migration, error, watch)
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
        await self._records.end(migration, report, failure=failure)
        if failure:
            raise errors.Failed(failure, fix=_STILL_SERVING)
        return report

    async def _attempts(
        self, migration: Migration, watch: watching.Watch, on_line: OnLine | None
    ) -> int:
        """Run the command again as long as it fails for a lock; return the number of attempts."""
        for pause in (*self._patience.pauses(), None):
            attempts = await self._records.count_attempt(migration)
            try:
                await self._attempt(migration, watch, on_line)
            except _AttemptFailed as error:
                await watch.end_sessions()
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
        lines: list[str] = []

        def heard(line: str) -> None:
            lines.append(line)
            del lines[:-KEPT_LINES]
            if on_line:
                on_line(line)

        try:
            status = await self._keeper.run(
                self._task(migration, "migrate", migration.argv, self._patience.command),
                on_line=heard,
            )
        except errors.Failed as error:
            raise _AttemptFailed(str(error), log=await watch.logged(since), output=lines) from error
        if status:
            what = f"`{' '.join(migration.argv)}` exited with status {status}"
            raise _AttemptFailed(what, log=await watch.logged(since), output=lines)

    async def _head(self, migration: Migration) -> str:
        lines: list[str] = []
        task = self._task(migration, "head", migration.head_argv, 120)
        if status := await self._keeper.run(task, on_line=lines.append):
            raise errors.Failed(
                f"The schema head of {migration.app} in {migration.environment} cannot be read:"
                f" `{' '.join(migration.head_argv)}` exited with status {status}."
                f" {' '.join(lines[-3:])}".rstrip(" .")
                + ".",
                fix="Mend `database.head` in shipway.toml and push again.",
            )
        return model.head(lines)

    async def _head_after(self, migration: Migration, failure: str) -> str:
        """Read the head once more; after a failure one that cannot be read hides nothing."""
        try:
            return await self._head(migration)
        except errors.Failed:
            if failure:
                return "an unknown place"
            raise

    async def _explain(
        self, migration: Migration, error: _AttemptFailed, watch: watching.Watch
    ) -> str:
        """Tell what failed, at which statement, why, and who was in the way."""
        logged = model.last_error(error.log)
        at = f" at `{model.shortened(logged.statement)}`" if logged and logged.statement else ""
        if model.waited_for_lock(error.log, error.output):
            who = "; ".join(await watch.holders(error.log)) or "its holder is not known"
            return f"{migration} gave up{at}: it waited for a lock again and again; {who}."
        why = logged.message if logged else " ".join([error.what, *error.output[-3:]])
        if model.missed_the_address(error.output):
            why = (
                f"{why.rstrip('.')}. Its library does not understand the address of a socket: set "
                "by_port = true in [database] of shipway.toml"
            )
        left = ", ".join(await watch.invalid_indexes())
        rest = f" Unfinished indexes are left: {left}." if left else ""
        return f"{migration} failed{at}: {why.rstrip('.')}.{rest}"

    def _task(self, migration: Migration, what: str, argv: tuple[str, ...], timeout: float) -> Task:
        """The address goes to this task alone, and never into an argument vector."""
        return Task(
            owner=Owner(Kind.SERVER, migration.app, migration.environment),
            argv=argv,
            key=f"{what}.{migration.app}.{migration.environment}",
            env={
                **command.base_environment(),
                **migration.env,
                "DB_URL": migration.owner_url,
                "PGAPPNAME": migration.tag,
                "PGOPTIONS": self._patience.server_options(),
            },
            cwd=migration.cwd,
            timeout=timeout,
        )


def _where(report: Report) -> str:
    if report.after == report.before:
        return f"The schema is still at {report.after or 'its beginning'}."
    return f"The schema went from {report.before or 'nothing'} to {report.after} before that."
