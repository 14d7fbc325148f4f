"""The steps of `deploy` and `roll_back`: each looks at what is there before it acts."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from shipway.builds.model import State
from shipway.kit import clock, durable, errors, log
from shipway.releases import model
from shipway.releases.model import Deployment
from shipway.workflows import (
    entering,
    hiding,
    migrating,
    names,
    proving,
    rehearsing,
    starting,
    telling,
    updating,
    watching,
)
from shipway.workflows.approving import Approving
from shipway.workflows.entering import Entry, entry_of
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

HELD = datetime.timedelta(minutes=15)
"""So long a warm release stays at least, once a rollback has chosen it."""

_log = log.get("deploying")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the rollout: so much of the traffic, in per mille."""

    name: str
    index: int
    per_mille: int


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a deployment goes on. ``warm``: its instances run already."""

    deployment: str
    stages: tuple[Stage, ...]
    warm: bool = False


class Deploying:
    """The steps of `deploy` and `roll_back`, each safe to run twice."""

    def __init__(self, on: Platform) -> None:
        self._on = on
        self._approving = Approving(on.releases, on.deployments, on.approvals, on.people)

    @durable.step
    async def admit(self, deployment: str) -> Way:
        """Let the release in, or say every reason why not. What held when it was asked for may
        not hold now: it is judged again."""
        on, entry = self._on, await self._going_on(deployment)
        live = await on.deployments.live(entry.app, entry.environment)
        if live and live.id != deployment:
            await self._must_contain(entry, live)
        if entry.release.state == "refused":
            raise errors.Refused(f"{entry.release.version} was refused.")
        model.must_have_artifacts(entry.release)
        await self._must_be_approved(entry)
        missing = await on.variables.missing(entry.app, entry.environment, entry.product)
        if missing:
            raise errors.Refused(
                *(f"{name} has no value in {entry.environment}" for name in missing),
                fix=f"Set it: `shipway env set {entry.environment} {missing[0]}`.",
            )
        before = live.id if live and live.id != deployment else entry.deployment.before
        await on.deployments.begin(deployment, served_by=deployment, before=before)
        await self._begin(entry, f"{entry.deployment} begins.")
        return Way(deployment=deployment, stages=_stages(entry.deployment))

    @durable.step
    async def choose_target(self, deployment: str) -> Way:
        """Decide what a rollback goes back to, and whether its instances still run."""
        on, entry = self._on, await entry_of(self._on, deployment)
        live = await on.deployments.live(entry.app, entry.environment)
        if live and live.id == deployment:
            return Way(deployment=deployment, stages=(), warm=True)
        if live and live.release == entry.release.id:
            raise errors.Refused(f"{live} is live already.")
        model.must_have_artifacts(entry.release)
        target = await self._target(entry)
        warm = await self._is_warm(target)
        served_by = target.served_by if warm or not entry.server else deployment
        await on.deployments.begin(deployment, served_by=served_by, before=target.before)
        how = "is still warm" if warm else "starts again from its artifacts"
        await self._begin(entry, f"Going back to {target.version}, which {how}.")
        return Way(deployment=deployment, stages=_stages(entry.deployment), warm=warm)

    @durable.step
    async def unpack(self, way: Way) -> None:
        """Put the release's files in place, read-only."""
        entry = await self._going_on(way.deployment)
        if entry.product.server:
            await migrating.unpacked(self._on, entry)

    @durable.step
    async def rehearse(self, way: Way) -> str:
        """Have the migration rehearsed on a copy of this database, or know that it was. Returns a
        sentence; raises `errors.Refused` when it must not run."""
        on, entry = self._on, await self._going_on(way.deployment)
        async with self._telling(entry) as tell:
            done = await rehearsing.gate(on, entry, tell)
        rehearsing.must_let_in(done)
        return done.sentence if done else "The policy asks for no rehearsal."

    @durable.step
    async def migrate(self, way: Way) -> str:
        """Bring the schema to the release's head. Returns a sentence."""
        on, entry = self._on, await self._going_on(way.deployment)
        tool = entry.product.database
        if tool is None:
            return "There is no database."
        access = await on.clusters.ensure(entry.app, entry.environment, by_port=tool.by_port)
        migration = await migrating.on_live(on, entry, tool, access)
        async with hiding.secrets_hidden(on, entry.app), self._telling(entry) as tell:
            report = await on.migrations.migrate(migration, on_line=tell)
        await on.releases.set_schema_head(entry.release.id, report.after)
        await self._say(entry, report.sentence)
        return report.sentence

    @durable.step
    async def start(self, way: Way) -> None:
        """Start the instances beside those that serve now."""
        on, entry = self._on, await self._going_on(way.deployment)
        found = await starting.starts(on, entry)
        for start in found:
            await on.instances.start(start)
        await self._say(entry, f"{len(found)} instance(s) started.")

    @durable.step
    async def wait_until_ready(self, way: Way) -> None:
        """Wait until every instance answers its health path; no traffic comes before."""
        entry = await self._going_on(way.deployment)
        await starting.wait_until_ready(self._on, entry)
        await self._say(entry, "Every instance is ready.")

    @durable.step
    async def join_traffic(self, way: Way) -> None:
        """Make the instances known to the edge, which checks them for itself."""
        entry = await self._going_on(way.deployment)
        await starting.join_traffic(self._on, entry)

    @durable.step
    async def publish_update(self, way: Way) -> None:
        """Put the client's update on the channel; the shares of the rollout are its shares too."""
        entry = await self._going_on(way.deployment)
        if sentence := await updating.publish(self._on, entry):
            await self._say(entry, sentence)

    @durable.step
    async def take_back_update(self, way: Way) -> None:
        """Have devices go back with the server, which stays back even when they cannot."""
        entry = await self._going_on(way.deployment)
        try:
            sentence = await updating.take_back(self._on, entry)
        except errors.ShipwayError as error:
            sentence = f"The update was not taken back: {error}"
            await telling.tell(self._on, entry.deployment, "update.not_taken_back", sentence)
        if sentence:
            await self._say(entry, sentence)

    @durable.step
    async def shift(self, stage: Stage, way: Way) -> None:
        """Give the release its share of the traffic."""
        on, entry = self._on, await self._going_on(way.deployment)
        parts = await entering.parts_after(on, entry, stage.per_mille)
        await on.traffic.share(entry.site, parts)
        await updating.share(on, entry, stage.per_mille)
        await on.deployments.reach_stage(way.deployment, stage.index + 1)
        await self._say(
            entry, f"{entry.release.version} has {stage.per_mille / 10:g} % of the traffic."
        )

    @durable.step
    async def verify(self, way: Way) -> None:
        """Ask through the edge, as a client would, whether the release answers."""
        entry = await self._going_on(way.deployment)
        sentence = await proving.answers(self._on, entry)
        await self._judge(entry, "answers", sentence)

    @durable.step
    async def prove(self, way: Way) -> None:
        """Run the end-to-end tests against staging."""
        entry = await self._going_on(way.deployment)
        if entry.environment == names.STAGING:
            sentence = await proving.end_to_end(self._on, entry)
            await self._judge(entry, "end-to-end tests passed", sentence)

    @durable.step
    async def settle(self, way: Way) -> Outcome:
        """Make it the live one. The one before stays warm for a while."""
        on, entry = self._on, await self._going_on(way.deployment)
        live = await on.deployments.live(entry.app, entry.environment)
        if live and live.id == way.deployment:
            return Outcome(good=True, sentence=live.sentence)
        sentence = _arrival(entry, live)
        until = clock.now() + watching.warm_time(entry.deployment, on.settings)
        await on.deployments.become_live(entry.deployment, sentence=sentence, warm_until=until)
        await self._end(entry, State.SUCCEEDED, sentence)
        event = "rolled_back" if entry.deployment.kind == "rollback" else "deployed"
        await telling.tell(on, entry.deployment, f"deployment.{event}", sentence)
        return Outcome(good=True, sentence=sentence)

    @durable.step
    async def withdraw(self, deployment: str, why: str) -> Outcome:
        """Leave everything as it was before: the old release serves, the new one is gone."""
        on, entry = self._on, await entry_of(self._on, deployment)
        live = await on.deployments.live(entry.app, entry.environment)
        if live and live.id == deployment:
            return Outcome(good=True, sentence=f"{live.sentence} But then: {why}")
        parts = [(await entry_of(on, live.id)).part(1000)] if live else []
        besides = await _attempted(on.traffic.share(entry.site, parts))
        besides += await _attempted(updating.withdraw(on, entry, why))
        if entry.deployment.served_by == deployment:
            besides += await _attempted(take_down(on, entry.app, entry.environment, deployment))
        kept = f"keeps {live.version}" if live else "has no release"
        what = f"{entry.environment} {kept}: {entry.release.version} was not deployed."
        sentence = f"{what} {entry.deployment.withdrawn or why}{besides}"
        await on.deployments.end(deployment, "failed", sentence)
        await self._end(entry, State.FAILED, sentence)
        await telling.tell(on, entry.deployment, "deployment.failed", sentence)
        return Outcome(good=False, sentence=sentence)

    @durable.step
    async def give_up(self, deployment: str, why: str) -> Outcome:
        """End a deployment that cannot be taken back, such as one whose file cannot be read."""
        found = await self._on.deployments.get(deployment)
        sentence = f"{found} was neither deployed nor taken back: look at what serves. {why}"
        await self._on.deployments.end(deployment, "failed", sentence)
        await telling.tell(self._on, found, "deployment.failed", sentence)
        return Outcome(good=False, sentence=sentence)

    async def _going_on(self, deployment: str) -> Entry:
        """Gather what a deployment needs; raise `durable.Interrupted` once it is withdrawn."""
        entry = await entry_of(self._on, deployment)
        if entry.deployment.withdrawn:
            raise durable.Interrupted(entry.deployment.withdrawn)
        return entry

    async def _must_contain(self, entry: Entry, live: Deployment) -> None:
        on = self._on
        served = await on.releases.get(live.release)
        contains = await on.sources.contains(entry.app, served.commit, entry.release.commit)
        model.may_follow(entry.release, served, contains_live=contains)

    async def _must_be_approved(self, entry: Entry) -> None:
        decision = await self._approving.decide(entry.release, entry.environment)
        if not decision.enough:
            raise errors.Refused(*decision.sentences)

    async def _target(self, entry: Entry) -> Deployment:
        """The deployment of the release that was asked for, the latest that was live."""
        history = await self._on.deployments.list(
            entry.app, entry.environment, release=entry.release.id, states=model.EVER_LIVE
        )
        if not history:
            raise errors.Refused(f"{entry.release.version} was never live in {entry.environment}.")
        warm = [one for one in history if one.state in {"warm", "rolled_back"}]
        return (warm or list(history))[0]

    async def _is_warm(self, target: Deployment) -> bool:
        """Whether all of its instances run, and stay: nobody stops them while traffic turns back."""
        on, now = self._on, clock.now()
        if not await on.deployments.hold(target.id, now=now, until=now + HELD):
            return False
        running = [
            one
            for one in await on.instances.running(target.app, target.environment)
            if one.deployment == target.served_by
        ]
        alive = [await on.instances.alive(one) for one in running]
        return bool(alive) and all(alive)

    async def _judge(self, entry: Entry, gate: str, sentence: str) -> None:
        await self._on.releases.judge(
            entry.release.id, entry.environment, gate, open=True, sentence=sentence
        )
        await self._say(entry, sentence)

    async def _begin(self, entry: Entry, sentence: str) -> None:
        await self._on.runs.announce(entry.release.run, [_step(entry)])
        await self._on.runs.start_step(entry.release.run, _step(entry))
        await self._say(entry, sentence)

    async def _end(self, entry: Entry, state: State, sentence: str) -> None:
        await self._say(entry, sentence)
        await self._on.runs.end_step(entry.release.run, _step(entry), state, sentence)

    async def _say(self, entry: Entry, sentence: str) -> None:
        async with self._telling(entry) as tell:
            tell(sentence)

    @contextlib.asynccontextmanager
    async def _telling(self, entry: Entry) -> AsyncIterator[Callable[[str], str]]:
        """Show lines to those who follow the run that made the release."""
        mask = await hiding.mask_of(self._on, entry.app)
        async with self._on.logs.writing(entry.release.run, _step(entry), mask) as tell:
            yield tell


async def _attempted(undo: Coroutine[Any, Any, None]) -> str:
    """Undo what can be undone; what cannot is told, and must not keep the rest from happening."""
    try:
        await undo
    except errors.Unavailable:
        raise
    except errors.ShipwayError as error:
        return f" Besides: {error}"
    return ""


async def retire_cooled(on: Platform) -> None:
    """Take down every warm deployment whose time is over."""
    for cooled in await on.deployments.cooled(clock.now()):
        try:
            await _retire(on, cooled)
        except errors.ShipwayError as error:  # the next look tries again; others need not wait
            _log.warning("deployment.not_retired", deployment=cooled.id, why=str(error))


async def _retire(on: Platform, cooled: Deployment) -> None:
    live = await on.deployments.live(cooled.app, cooled.environment)
    if live is None or live.served_by != cooled.served_by:
        await take_down(on, cooled.app, cooled.environment, cooled.served_by)
        if (await entry_of(on, cooled.id)).product.database:
            await on.rehearsals.forget_statements(cooled.app, cooled.environment)
    await on.deployments.end(cooled.id, "retired", cooled.sentence)


async def take_down(on: Platform, app: str, environment: str, deployment: str) -> None:
    """Forget a deployment's pool, then stop its instances: no request is cut."""
    await on.traffic.remove(app, environment, deployment)
    for instance in await on.instances.running(app, environment):
        if instance.deployment == deployment:
            await on.instances.stop(instance)
    gone = await on.deployments.get(deployment)
    others = await on.deployments.list(
        app, environment, release=gone.release, states=model.HOLDS_FILES
    )
    if not [one for one in others if deployment not in {one.id, one.served_by}]:
        await on.instances.discard(app, environment, gone.release)


def _step(entry: Entry) -> str:
    """The step of the run that shows a deployment."""
    return f"{entry.deployment.kind} {entry.environment}"


def _stages(deployment: Deployment) -> tuple[Stage, ...]:
    total = len(deployment.plan)
    return tuple(
        Stage(name=f"{index + 1} of {total}", index=index, per_mille=per_mille)
        for index, per_mille in model.stages(deployment.plan, done=deployment.stage)
    )


def _arrival(entry: Entry, live: Deployment | None) -> str:
    if entry.deployment.kind == "rollback":
        taken = f": {live.version} was taken back" if live else ""
        return f"{entry.environment} serves {entry.release.version} again{taken}."
    instead = f" instead of {live.version}" if live else ""
    return f"{entry.environment} serves {entry.release.version}{instead}."
