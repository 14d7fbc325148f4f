"""The records of pushes, runs and their steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from shipway.builds.model import Push, Run, RunKind, State, StepRecord
from shipway.kit import db, errors, ids

CHANNEL = "shipway_run"
"""The channel that is notified with a run's id whenever something about it has changed."""

Look = Callable[[], Awaitable[Mapping[str, str]]]
"""Tells every branch with its commit."""

_SQL = db.queries(__package__ or "")


class Pushes:
    """What arrived in the repositories, in order."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def arrived(self, app: str, look: Look, *, by: str) -> tuple[Push, ...]:
        """Record how the branches differ from the last recorded state, and return the new pushes.

        ``look`` reads the refs: only in its turn, for what was read before a newer push was
        recorded would seem to take that back. What was recorded before is not returned
        again, so a lost report of a push is made up for by the next one.
        """
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_pushes"], app=app)
            refs = await look()
            known = {
                row["branch"]: row["commit"]
                for row in await self._db.rows(_SQL["branches"], app=app)
            }
            changed = sorted(b for b in {*refs, *known} if refs.get(b, "") != known.get(b, ""))
            return tuple(
                [
                    await self._add(app, branch, known.get(branch, ""), refs.get(branch, ""), by)
                    for branch in changed
                ]
            )

    async def again(self, app: str, branch: str, commit: str, *, by: str) -> Push:
        """Record that a branch's present commit is asked for again.

        Raises `errors.Refused` when the branch is elsewhere now.
        """
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_pushes"], app=app)
            now = (await self.branches(app)).get(branch, "")
            if now != commit:
                raise errors.Refused(
                    f"{branch} is at {now[:12] or 'nothing'} now, and no more at {commit[:12]}.",
                    fix="Retry its newest run, or push.",
                )
            return await self._add(app, branch, commit, commit, by)

    async def branches(self, app: str) -> dict[str, str]:
        """Return where each branch was at its last recorded push; "" when deleted."""
        rows = await self._db.rows(_SQL["branches"], app=app)
        return {row["branch"]: row["commit"] for row in rows}

    async def get(self, app: str, number: int) -> Push:
        """Return a push. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["push"], app=app, number=number)
        if row is None:
            raise errors.NotFound(f"{app} has no push number {number}.")
        return Push(**row)

    async def _add(self, app: str, branch: str, before: str, commit: str, by: str) -> Push:
        row = await self._db.row(
            _SQL["add_push"], app=app, branch=branch, before=before, commit=commit, by=by
        )
        assert row
        return Push(**row)


class Runs:
    """The runs and their steps. Each change is notified on `CHANNEL`."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def create(
        self, app: str, branch: str, commit: str, *, push: int, kind: RunKind, by: str
    ) -> Run:
        """Record a run. The same push again returns the run that is there."""
        where = {"app": app, "branch": branch, "commit": commit, "push": push}
        await self._db.run(_SQL["add_run"], **where, id=ids.new("run"), kind=kind, by=by)
        row = await self._db.row(_SQL["run_of_push"], **where)
        assert row
        await self.notify(row["id"])
        return _run(row)

    async def repeat(self, run: str) -> Run:
        """Record that the commit of a run arrived again, with a run of its own, and return that.
        May be repeated: what came after the run is found."""
        old = await self.get(run)
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_pushes"], app=old.app)
            after = {"app": old.app, "branch": old.branch, "commit": old.commit, "run": run}
            if row := await self._db.row(_SQL["run_again"], **after):
                return _run(row)
            pushed = {"branch": old.branch, "before": old.commit, "commit": old.commit}
            push = await self._db.row(_SQL["add_push"], app=old.app, by=old.pushed_by, **pushed)
            assert push
            return await self.create(
                old.app,
                old.branch,
                old.commit,
                push=push["number"],
                kind=old.kind,
                by=old.pushed_by,
            )

    async def get(self, run: str) -> Run:
        """Return a run. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["run"], id=run)
        if row is None:
            raise errors.NotFound(f"There is no run {run}.", fix="`shipway runs` lists them.")
        return _run(row)

    async def list(self, app: str, *, limit: int = 20, before: str | None = None) -> Sequence[Run]:
        """Return the runs of an app, newest first, from below the id ``before`` on."""
        rows = await self._db.rows(_SQL["runs"], app=app, limit=limit, before=before)
        return [_run(row) for row in rows]

    async def pushers(self, app: str, branches: Iterable[str], *, since: str) -> frozenset[str]:
        """Return who pushed to branches after the run ``since``, or ever without one."""
        rows = await self._db.rows(_SQL["pushers"], app=app, branches=list(branches), since=since)
        return frozenset(row["pushed_by"] for row in rows)

    async def last(self, apps: Sequence[str]) -> Mapping[str, Run]:
        """Return the newest run of each app that has one."""
        rows = await self._db.rows(_SQL["last_runs"], apps=list(apps))
        return {row["app"]: _run(row) for row in rows}

    async def set_state(self, run: str, state: State, sentence: str = "") -> bool:
        """Say where a run is. Returns False when it had ended already and stays as it was.

        With a final state the steps that have not ended are closed as cancelled.
        """
        async with self._db.transaction():
            changed = await self._db.run(
                _SQL["set_run"], id=run, state=state, sentence=sentence, final=state.is_final
            )
            if changed and state.is_final:
                await self._db.run(
                    _SQL["end_steps"], run=run, sentence=f"The run {state} before it ended."
                )
            await self.notify(run)
        return changed > 0

    async def cancelled(self, runs: Iterable[str]) -> Sequence[str]:
        """Return those of these ids that are cancelled runs."""
        return [row["id"] for row in await self._db.rows(_SQL["cancelled"], runs=list(runs))]

    async def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the steps of a run in the order in which they were announced."""
        return [_step(row) for row in await self._db.rows(_SQL["steps"], run=run)]

    async def announce(self, run: str, *layers: Iterable[str]) -> None:
        """Record steps as waiting, so that people see what is to come. May be repeated.

        The steps of a layer run side by side; each layer comes after the one before, and the
        first one after whatever was announced before.
        """
        named = [list(layer) for layer in layers]
        known = [name for layer in named for name in layer]
        async with self._db.transaction():
            row = await self._db.row(_SQL["next_layer"], run=run, names=known)
            for layer, names in enumerate(named, row["layer"] if row else 0):
                for name in names:
                    await self._db.run(_SQL["add_step"], run=run, name=name, layer=layer)
            await self.notify(run)

    async def start_step(self, run: str, name: str, *, key: str = "") -> None:
        """Record that a step runs (again). ``key`` is the digest of all that it sees."""
        await self._db.run(_SQL["start_step"], run=run, name=name, key=key)
        await self.notify(run)

    async def end_step(
        self,
        run: str,
        name: str,
        state: State,
        sentence: str,
        *,
        cached: bool = False,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Record how a step ended."""
        await self._db.run(
            _SQL["end_step"],
            run=run,
            name=name,
            state=state,
            sentence=sentence,
            cached=cached,
            facts=db.json(dict(facts or {})),
        )
        await self.notify(run)

    async def key_of(self, run: str, name: str) -> str:
        """Return the key of a step that has run, or "" when it has not."""
        row = await self._db.row(_SQL["step"], run=run, name=name)
        return row["key"] if row else ""

    async def notify(self, run: str) -> None:
        """Tell those who follow a run that there is something new."""
        await self._db.rows(_SQL["notify"], run=run)


def _run(row: db.Row) -> Run:
    return Run(**{**row, "kind": RunKind(row["kind"]), "state": State(row["state"])})


def _step(row: db.Row) -> StepRecord:
    kept = {name: row[name] for name in StepRecord.__dataclass_fields__}
    return StepRecord(**{**kept, "state": State(row["state"])})
