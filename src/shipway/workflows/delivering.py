"""The steps of `deliver`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from shipway import appfile
from shipway.appfile.model import Product
from shipway.builds import planning
from shipway.builds.model import MAIN, BuildStep, Run, RunKind, State, StepResult
from shipway.kit import durable, errors, log
from shipway.releases import model as releases
from shipway.workflows import approving, hiding, merging, names, provided, rehearsing, telling
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

_log = log.get("delivering")

FILE = "shipway.toml"
CHECK_OUT = "check out"
"""The step that shows from the first moment that somebody is at work on a run."""
CHANGELOG_COMMITS = 500
"""A first release may have a long history; its changelog stays readable."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run has to do: with which commit, and whether it ``delivers``.

    The commit of a hotfix is its merge with main.
    """

    run: str
    commit: str
    delivers: bool
    layers: tuple[tuple[BuildStep, ...], ...]


class Delivering:
    """The steps of `deliver`, each safe to run twice."""

    def __init__(self, on: Platform) -> None:
        self._on = on

    @durable.step
    async def check_out(self, run: str) -> Work:
        """Put the commit's files into the run's workspace and plan the work."""
        started = await self._begin(run)
        async with self._checking_out(started) as tell:
            tell(f"{started.commit[:12]} of {started.branch} is taken, and checked out.")
            work = await self._plan(started)
            planned = sum(len(layer) for layer in work.layers)
            tell(f"{work.commit[:12]} is checked out. Its steps: {planned}.")
        return work

    @contextlib.asynccontextmanager
    async def _checking_out(self, started: Run) -> AsyncIterator[Callable[[str], str]]:
        """Show the block as a step of the run. It is given a function that writes to its log."""
        on, run = self._on, started.id
        await on.runs.announce(run, [CHECK_OUT])
        await on.runs.start_step(run, CHECK_OUT)
        mask = await hiding.mask_of(on, started.app)
        async with on.logs.writing(run, CHECK_OUT, mask) as tell:
            try:
                yield tell
            except errors.ShipwayError as error:
                errors.reword(error, mask)
                tell(error.what)
                await on.runs.end_step(run, CHECK_OUT, State.FAILED, error.what)
                raise
        await on.runs.end_step(run, CHECK_OUT, State.SUCCEEDED, "The commit is checked out.")

    async def _plan(self, started: Run) -> Work:
        on, run = self._on, started.id
        hotfix = started.kind is RunKind.HOTFIX
        commit = await merging.merge(on, started) if hotfix else started.commit
        text = await self._text(started.app, commit)
        product = appfile.parse(text, where=f"{FILE} at {commit[:12]}")
        await on.builder.check_out(run, started.app, commit)
        if started.branch == MAIN:
            await on.apps.accept(started.app, commit, text)
        publics = {
            environment: await on.variables.public(
                started.app, environment, product, provided.facts(on.settings, product, environment)
            )
            for environment in product.environments
            if environment in names.DEPLOYED
        }
        plan = planning.plan(
            product,
            full=started.kind.delivers,
            publics=publics,
            bases=await self._bases(started.app),
        )
        await on.runs.announce(run, *([step.name for step in layer] for layer in plan.layers))
        return Work(run=run, commit=commit, delivers=started.kind.delivers, layers=plan.layers)

    @durable.step
    async def perform(self, step: BuildStep, work: Work) -> StepResult:
        """Run one step of the plan in its sandbox, or find its result in the cache."""
        started = await self._going_on(work.run)
        mask = await hiding.mask_of(self._on, started.app)
        return await self._on.builder.perform(work.run, started.app, work.commit, step, mask)

    @durable.step
    async def release(self, work: Work, results: Sequence[StepResult]) -> str:
        """Make the release: artifacts, version and changelog. Returns its identifier."""
        on, started = self._on, await self._going_on(work.run)
        text = await self._text(started.app, work.commit)
        before = await self._in_use(started.app, appfile.parse(text))
        since = before.commit if before else None
        commits = await on.sources.commits_between(started.app, since, work.commit)
        wrote = await on.sources.authors(started.app, since, work.commit)
        authors = await on.people.by_emails(wrote)
        made = await on.releases.add(
            app=started.app,
            run=work.run,
            commit=work.commit,
            schema_head="",
            artifacts={k: v for result in results for k, v in result.artifacts.items()},
            product=text,
            changelog=releases.changelog([c.subject for c in commits[:CHANGELOG_COMMITS]]),
            authors=sorted({*authors, *await self._pushers(started, before)}),
            branch=started.branch,
        )
        if made.is_hotfix:
            await merging.announce(on, made, since)
        return made.id

    @durable.step
    async def ask_for_staging(self, run: str, release: str) -> durable.Start | None:
        """Ask for a deployment to staging, when the app has one. A hotfix skips it."""
        on, started = self._on, await self._going_on(run)
        made = await on.releases.get(release)
        product = appfile.parse(made.product)
        if made.is_hotfix or names.STAGING not in product.environments:
            return None
        asked = await on.deployments.ask(
            id=f"dep_{release.removeprefix('rel_')}_{names.STAGING}",
            release=made,
            environment=names.STAGING,
            kind="deploy",
            by=started.pushed_by,
            reason=f"push to {started.branch}",
            plan=approving.rollout_of(made, names.STAGING),
        )
        return names.deployment(asked)

    @durable.step
    async def confirm(self, run: str, staging: Outcome) -> str:
        """Go on only when staging took the release."""
        await self._going_on(run)
        if not staging.good:
            raise errors.Refused(staging.sentence)
        return staging.sentence

    @durable.step
    async def rehearse(self, run: str, release: str) -> str:
        """Have the migration rehearsed for production before it runs anywhere: once it ran in
        staging it could not be written otherwise. Returns a sentence; raises `errors.Refused`
        when it must not run."""
        on = self._on
        await self._going_on(run)
        made = await on.releases.get(release)
        if names.PRODUCTION not in appfile.parse(made.product).environments:
            return "There is no production."
        entry, step = rehearsing.planned(made, names.PRODUCTION), "rehearse production"
        if not await rehearsing.is_asked_for(on, entry):
            done = await rehearsing.gate(on, entry, lambda _: None)
            return done.sentence if done else "No rehearsal is asked for."
        await on.runs.announce(run, [step])
        await on.runs.start_step(run, step)
        mask = await hiding.mask_of(on, made.app)
        async with on.logs.writing(run, step, mask) as tell:
            done = await rehearsing.gate(on, entry, tell)
        assert done
        state = State.SUCCEEDED if done.lets_in else State.FAILED
        await on.runs.end_step(run, step, state, done.sentence)
        rehearsing.must_let_in(done)
        return done.sentence

    @durable.step
    async def declare_ready(self, run: str, release: str) -> str:
        """Record that the release may go to production, with the evidence."""
        on = self._on
        made = await on.releases.get(release)
        await on.releases.judge(
            release,
            names.PRODUCTION,
            "tests passed",
            open=True,
            sentence=f"Every test of {made.commit[:12]} passed.",
            evidence={"run": run, "commit": made.commit},
        )
        await on.releases.set_state(release, "ready")
        sentence = f"{made.version} is ready for production."
        if made.is_hotfix:
            sentence += f" {made.branch} goes there without staging, once an owner approves it."
        await telling.tell(on, made, "release.ready", sentence, run=run)
        return sentence

    @durable.step
    async def ask_for_promotion(self, release: str) -> durable.Start | None:
        """Let the release wait for its approvals, when the app has a production."""
        made = await self._on.releases.get(release)
        if names.PRODUCTION not in appfile.parse(made.product).environments:
            return None
        return names.promotion(made.app, release, names.PRODUCTION)

    @durable.step
    async def succeed(self, run: str, sentence: str) -> Outcome:
        return await self._end(run, State.SUCCEEDED, sentence)

    @durable.step
    async def fail(self, run: str, why: str) -> Outcome:
        outcome = await self._end(run, State.FAILED, why)
        started = await self._on.runs.get(run)
        await self._on.outbox.put(
            "run.failed",
            app=started.app,
            subject=run,
            sentence=f"The run of {started.branch} at {started.commit[:12]} failed: {why}",
            evidence={"run": run, "commit": started.commit, "branch": started.branch},
        )
        return outcome

    @durable.step
    async def cancel(self, run: str, why: str) -> Outcome:
        return await self._end(run, State.CANCELLED, why)

    async def _begin(self, run: str) -> Run:
        started = await self._going_on(run)
        await self._on.runs.set_state(run, State.RUNNING)
        return started

    async def _going_on(self, run: str) -> Run:
        """Return the run; raise `durable.Interrupted` when somebody cancelled it."""
        started = await self._on.runs.get(run)
        if started.state is State.CANCELLED:
            raise durable.Interrupted(started.sentence or "The run was cancelled.")
        return started

    async def _end(self, run: str, state: State, sentence: str) -> Outcome:
        started = await self._on.runs.get(run)
        if not started.state.is_final:
            await self._on.runs.set_state(run, state, sentence)
        made = await self._on.releases.of_run(run)
        if made and state is not State.SUCCEEDED:
            await self._on.releases.set_state(made.id, "refused")
        if started.kind is RunKind.HOTFIX and state is not State.SUCCEEDED:
            await self._on.sources.forget(started.app, run)
        try:
            await self._on.builder.clean_up(run, started.app)
        except errors.ShipwayError as error:  # what is left is found by housekeeping
            _log.warning("run.not_cleaned_up", run=run, why=str(error))
        return Outcome(good=state is State.SUCCEEDED, sentence=sentence)

    async def _text(self, app: str, commit: str) -> str:
        text = await self._on.sources.file_at(app, commit, FILE)
        if text is None:
            raise errors.Invalid(f"{commit[:12]} has no {FILE}.", fix="`shipway init` writes one.")
        return text

    async def _bases(self, app: str) -> Mapping[str, str]:
        """Return the artifacts of the release before: exports are made to differ little from it."""
        before = await self._last_release(app)
        return before.artifacts if before else {}

    async def _pushers(self, run: Run, after: releases.Release | None) -> set[str]:
        """Who pushed to main and to the branch since a release: all of it is in this one."""
        since = after.run if after else ""
        pushed = await self._on.runs.pushers(run.app, {MAIN, run.branch}, since=since)
        return {run.pushed_by, *pushed} - {""}

    async def _in_use(self, app: str, product: Product) -> releases.Release | None:
        """The release that the app's users have. What came after it is new with the next one,
        even where a release that never reached them had it: so are its authors."""
        users_at = names.PRODUCTION if names.PRODUCTION in product.environments else names.STAGING
        live = await self._on.deployments.live(app, users_at)
        return await self._on.releases.get(live.release) if live else None

    async def _last_release(self, app: str) -> releases.Release | None:
        found = await self._on.releases.list(app, limit=1)
        return found[0] if found else None
