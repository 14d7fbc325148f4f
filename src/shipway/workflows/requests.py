"""How work is asked for: the record first, then the workflow, which may be asked for twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipway import appfile
from shipway.access.approvals import Approvals
from shipway.access.audit import Audit
from shipway.access.model import Action, Caller
from shipway.access.people import People
from shipway.builds import model as builds
from shipway.builds.keeping import Pass
from shipway.builds.model import Push, Run, State
from shipway.builds.passes import Passes
from shipway.builds.records import Pushes, Runs
from shipway.builds.sources import Sources
from shipway.environments.apps import Apps
from shipway.health.outbox import Outbox
from shipway.kit import db, durable, errors, ids
from shipway.releases import model as releases
from shipway.releases.model import Deployment, Release
from shipway.releases.records import Deployments, Releases
from shipway.updates.records import Change, Records
from shipway.workflows import approving, names
from shipway.workflows.approving import Approving

INTERRUPT = "shipway_interrupt"
"""The PostgreSQL channel on which the worker is told to end the steps of a workflow."""


class Requests:
    """Everything that people can ask for, with the rule for who may."""

    def __init__(self, database: db.Database, sources: Sources, remote: durable.Remote) -> None:
        self._db = database
        self._sources = sources
        self._remote = remote
        self._apps = Apps(database)
        self._audit = Audit(database)
        self._pushes = Pushes(database)
        self._runs = Runs(database)
        self._approvals = Approvals(database)
        self._releases = Releases(database)
        self._deployments = Deployments(database)
        self._approving = Approving(
            self._releases, self._deployments, self._approvals, People(database)
        )
        self._updates = Records(database)
        self._passes = Passes(database)
        self._outbox = Outbox(database)

    async def pushes_arrived(self, app: str, by: str) -> list[Run]:
        """Start a run for every branch whose commit is not on record yet.

        The refs are the truth: whether or not the client that pushed is still there.
        """
        new = await self._pushes.arrived(app, lambda: self._sources.refs(app), by=by)
        runs = [await self._run_of(push) for push in new if await self._needs_run(push)]
        for run in await self._waiting(app, runs):
            await self._supersede(run)
            await self._remote.start(names.delivery(run.id))
        return runs

    async def _needs_run(self, push: Push) -> bool:
        """Whether a push has something to deliver: main may have been moved on to a hotfix."""
        if push.branch != builds.MAIN or not push.commit:
            return bool(push.commit)
        release = await self._releases.of_commit(push.app, push.commit)
        return release is None or not release.is_hotfix

    async def _run_of(self, push: Push) -> Run:
        kind = builds.kind_of(push.branch)
        # Whoever reports the refs may report somebody else's push too: that one is its author.
        by = await self._audit.pusher(push.app, push.branch, push.commit) or push.by
        return await self._runs.create(
            push.app, push.branch, push.commit, push=push.number, kind=kind, by=by
        )

    async def _waiting(self, app: str, new: Sequence[Run]) -> Sequence[Run]:
        """The new runs, and those that were recorded but never started."""
        recent = await self._runs.list(app, limit=50)
        known = {run.id for run in new}
        return [*new, *(r for r in recent if r.state is State.WAITING and r.id not in known)]

    async def resume(self) -> None:
        """Start everything that was recorded but never started. May be repeated."""
        for app in await self._apps.all():
            await self.pushes_arrived(app.name, by="")
            asked = await self._deployments.list(app.name, states=("waiting", "running"))
            for deployment in asked:
                await self._remote.start(names.deployment(deployment))
        for change in await self._updates.waiting_changes():
            await self._remote.start(names.update(change.app, change.id))
        for one in await self._passes.open():
            await self._remote.start(names.housekeeping(one.id, by=one.by, dry_run=one.dry_run))

    async def end(self, abandoned: durable.Start) -> None:
        """Have what was given up end, unless it has ended. May be repeated."""
        try:
            start = await self._ending(abandoned)
        except errors.NotFound:  # its app is gone
            return
        if start:
            await self._remote.start(start)

    async def _ending(self, abandoned: durable.Start) -> durable.Start | None:
        match abandoned.workflow:
            case names.DELIVER:
                is_over = (await self._runs.get(abandoned.id)).state.is_final
                queue, lane = names.PROMOTIONS, ""
            case names.DEPLOY | names.ROLL_BACK:
                deployment = await self._deployments.get(abandoned.id)
                is_over = deployment.state not in {"waiting", "running"}
                queue, lane = names.PROMPT, names.lane_of(deployment)
            case names.UPDATE:
                change = await self._updates.change(abandoned.id)
                is_over = change.state != "waiting"
                queue, lane = names.PROMPT, names.updates_lane(change.app)
            case names.PROMOTE | names.REHEARSE | names.LOWER:
                is_over, queue, lane = False, names.PROMOTIONS, ""
            case names.HOUSEKEEPING:
                is_over = (await self._passes.get(abandoned.id)).ended is not None
                queue, lane = names.CHORES, ""
            case _:  # an ending that was given up itself: it is in the log
                return None
        return None if is_over else names.ending(abandoned, queue=queue.name, lane=lane)

    async def cancelled(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those of these ids that are runs which somebody cancelled, or deployments which
        somebody withdrew."""
        return [*await self._runs.cancelled(ids), *await self._deployments.withdrawn(ids)]

    async def _supersede(self, newer: Run) -> None:
        """End the older runs of the branch that have not come as far as staging. Those of a
        hotfix never do: they are older until they are approved."""
        sentence = f"Superseded by {newer.id}: {newer.branch} is at {newer.commit[:12]}."
        for run in await self._runs.list(newer.app, limit=50):
            if run.branch != newer.branch or run.push >= newer.push:
                continue
            release = await self._releases.of_run(run.id)
            if release is None and not run.state.is_final:
                await self._interrupt(run.id, sentence)
            elif release and release.is_hotfix and await self._waits(release):
                await self._interrupt(run.id, sentence)
                await self._give_up(release, sentence)
                await self._wake(release)

    async def _waits(self, release: Release) -> bool:
        """Whether a release has not come as far as a deployment to production."""
        deployed = await self._deployments.list(
            release.app, names.PRODUCTION, release=release.id, limit=1
        )
        return release.state != "refused" and not deployed

    async def _interrupt(self, run: str, sentence: str) -> bool:
        """Cancel a run and end the step that it is in. False when it has ended already."""
        if not await self._runs.set_state(run, State.CANCELLED, sentence):
            return False
        await self._notify(run)
        return True

    async def cancel(self, run: str, caller: Caller) -> str:
        """Cancel a run: the step that it is in ends at once, a deployment to staging is withdrawn,
        and a release that waits for approval waits no more. Returns a sentence."""
        caller.must(Action.CANCEL_RUN)
        sentence = f"Cancelled by {caller.person}."
        interrupted = await self._interrupt(run, sentence)
        release = await self._releases.of_run(run)
        if interrupted:
            if release:
                await self._give_up(release, sentence)
            return sentence
        if release and release.state == "ready" and await self._waits(release):
            await self._give_up(release, sentence)
            await self._wake(release)
            return f"{release.version} waits for approval no more. {sentence}"
        found = await self._runs.get(run)
        raise errors.Conflict(
            f"{run} has ended already: {found.sentence}",
            fix="`shipway rollback` takes back what has entered an environment or is entering it.",
        )

    async def _give_up(self, release: Release, why: str) -> None:
        """Let a release go no further: what it waits for or is entering ends."""
        sentence = f"{release.version} goes no further. {why}"
        await self._releases.set_state(release.id, "refused")
        key = f"{release.id}:given_up"
        await self._releases.tell(
            key, app=release.app, subject=release.id, sentence=sentence, evidence={}
        )
        for deployment in await self._under_way(release.app, release=release.id):
            await self._withdraw(deployment, why)
        if release.is_hotfix:
            await self._sources.forget(release.app, release.run)

    async def _wake(self, release: Release) -> None:
        """Have the promotion of a release that was given up look at it, and end."""
        if names.PRODUCTION in appfile.parse(release.product).environments:
            waits = names.promotion(release.app, release.id, names.PRODUCTION)
            await self._remote.start(waits)
            await self._remote.send(waits.id, "approval", {}, key=f"{waits.id}:given_up")

    async def _under_way(
        self, app: str, environment: str = "", *, release: str = ""
    ) -> list[Deployment]:
        """Return the deployments that are not live yet, the newest first."""
        found = await self._deployments.list(
            app, environment, release=release, states=("waiting", "running")
        )
        return [one for one in found if one.kind == "deploy"]

    async def _withdraw(self, deployment: Deployment, why: str) -> bool:
        """End a deployment and the step that it is in. False when it has ended already."""
        if not await self._deployments.withdraw(deployment.id, why):
            return False
        await self._notify(deployment.id)
        return True

    async def _notify(self, workflow: str) -> None:
        await self._db.rows("select pg_notify(%(channel)s, %(id)s)", channel=INTERRUPT, id=workflow)

    async def retry(self, run: str, caller: Caller) -> Run:
        """Start another run of the same commit, while its branch is there still.

        Raises `errors.Conflict` for a run that is not over, and for one that succeeded.
        """
        caller.must(Action.PUSH)
        found = await self._runs.get(run)
        if not found.state.is_final or found.state is State.SUCCEEDED:
            raise errors.Conflict(f"{run} cannot be retried: it is {found.state}.")
        push = await self._pushes.again(found.app, found.branch, found.commit, by=caller.person)
        again = await self._run_of(push)
        await self._remote.start(names.delivery(again.id))
        return again

    async def end_runs(self, app: str, sentence: str) -> None:
        """Cancel whatever an app still runs, because it goes."""
        for run in await self._runs.list(app, limit=50):
            await self._interrupt(run.id, sentence)

    async def approve(
        self,
        release: str,
        environment: str,
        caller: Caller,
        reason: str,
        *,
        emergency: bool = False,
    ) -> str:
        """Record a person's yes and tell the release that waits for it. Returns a sentence.

        In an ``emergency`` an owner's yes is enough, and everybody is told of it.
        """
        caller.must(Action.EMERGENCY if emergency else Action.APPROVE, environment)
        if emergency and not reason.strip():
            raise errors.Invalid("An emergency needs a written reason.", fix='Add --reason "…".')
        found = await self._releases.get(release)
        if found.state != "ready":
            raise errors.Refused(
                f"{found.version} is not ready: it is {found.state}.",
                fix="`shipway releases` shows why.",
            )
        approving.must_have_been_built_for(environment, found)
        releases.must_have_artifacts(found)
        await self._say_yes(found, environment, caller.person, reason, emergency=emergency)
        workflow = names.promotion(found.app, found.id, environment)
        await self._remote.start(workflow)
        await self._remote.send(
            workflow.id,
            "approval",
            {"person": caller.person},
            key=f"{workflow.id}:{caller.person}:{emergency}:{reason}",
        )
        decision = await self._approving.decide(found, environment)
        said = f"{caller.person} approved {found.version} for {environment}. {decision.sentence}"
        return f"{said} {await self._since_then(found, environment)}".strip()

    async def _say_yes(
        self, release: Release, environment: str, person: str, reason: str, *, emergency: bool
    ) -> None:
        async with self._db.transaction():
            await self._approvals.give(release.id, environment, person, reason, emergency=emergency)
            if emergency:
                await self._outbox.put(
                    "release.emergency",
                    app=release.app,
                    subject=release.id,
                    sentence=f"{person} lets {release.version} into {environment} in an emergency,"
                    f" without the approvals that the policy asks for: {reason.strip()}",
                    evidence={"person": person, "environment": environment},
                )

    async def _since_then(self, release: Release, environment: str) -> str:
        """Say what became of a release that was approved before: a yes starts nothing again."""
        before = await self._deployments.list(release.app, environment, release=release.id, limit=1)
        if not before:
            return ""
        if before[0].state == "failed":
            return (
                f"Its deployment has failed, and a yes does not repeat it: `shipway deploy --release"
                f" {release.version} --environment {environment}` does. {before[0].sentence}"
            )
        return f"It was deployed before: {before[0]} is {before[0].state.replace('_', ' ')}."

    async def deploy(
        self, app: str, environment: str, release: str, caller: Caller, reason: str
    ) -> Deployment:
        """Deploy a release again, for example after a variable has changed."""
        caller.must(Action.DEPLOY, environment)
        found = await self._releases.get(release, app=app)
        self._must_be_ready(found, environment)
        approving.must_have_been_built_for(environment, found)
        releases.must_have_artifacts(found)
        return await self._ask(found, environment, "deploy", caller, reason)

    async def roll_back(
        self, app: str, environment: str, to: str, caller: Caller, reason: str
    ) -> Deployment:
        """Take back the live release: to the one before, or to a version that was live.

        What is entering the environment just now is withdrawn. That is all, unless ``to`` names
        something else than the live release, which then serves on: the deployment that is
        returned is the withdrawn one.
        """
        caller.must(Action.DEPLOY, environment)
        why = f"{caller.person} took it back{f': {reason.strip()}' if reason.strip() else ''}."
        under_way = await self._under_way(app, environment)
        withdrawn = [one for one in under_way if await self._withdraw(one, why)]
        live = await self._deployments.live(app, environment)
        if withdrawn and to in {"", *({live.version, live.release} if live else ())}:
            return await self._deployments.get(withdrawn[0].id)
        history = await self._deployments.list(
            app, environment, states=releases.EVER_LIVE, limit=500
        )
        target = releases.rollback_target(live, history, to=to)
        release = await self._releases.get(target.release)
        releases.must_have_artifacts(release)
        return await self._ask(release, environment, "rollback", caller, reason)

    async def keep_house(self, caller: Caller, *, dry_run: bool) -> Pass:
        """Ask for housekeeping, or for what it would remove."""
        caller.must(Action.READ if dry_run else Action.KEEP_HOUSE)
        name = ids.new("hk")
        asked = await self._passes.begin(name, by=caller.person, dry_run=dry_run)
        await self._remote.start(names.housekeeping(name, by=caller.person, dry_run=dry_run))
        return asked

    async def keep_house_daily(self, name: str) -> None:
        """Have housekeeping done, once for each name."""
        await self._remote.start(names.housekeeping(name))

    async def change_updates(
        self, app: str, action: str, arguments: Mapping[str, Any], caller: Caller
    ) -> Change:
        """Ask the worker for something about updates: it alone can sign."""
        caller.must(Action.DEPLOY, str(arguments.get("environment", names.PRODUCTION)))
        asked = await self._updates.ask(app, action, arguments, caller.person)
        await self._remote.start(names.update(app, asked.id))
        return asked

    async def _ask(
        self,
        release: Release,
        environment: str,
        kind: releases.DeploymentKind,
        caller: Caller,
        reason: str,
    ) -> Deployment:
        asked = await self._deployments.ask(
            id=ids.new("dep"),
            release=release,
            environment=environment,
            kind=kind,
            by=caller.person,
            reason=reason,
            plan=approving.rollout_of(release, environment)
            if kind == "deploy"
            else releases.AT_ONCE,
            watch=await self._approving.watch(release, environment) if kind == "deploy" else "",
        )
        await self._remote.start(names.deployment(asked))
        return asked

    @staticmethod
    def _must_be_ready(release: Release, environment: str) -> None:
        if environment == names.PRODUCTION and release.state != "ready":
            raise errors.Refused(
                f"{release.version} is not ready for production: it is {release.state}."
            )
