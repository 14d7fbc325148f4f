"""The steps of `promote`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from shipway.kit import clock, durable, errors
from shipway.releases.model import Release
from shipway.workflows import approving, merging, names, telling
from shipway.workflows.approving import Approving
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

EXPIRY = datetime.timedelta(days=30)
"""A release that nobody approves in this time has to be delivered again."""

LOOK_AGAIN = datetime.timedelta(hours=1)
"""Approvals are counted again this often: an author's own yes counts only after a delay."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A release on its way to an environment that asks for approvals."""

    app: str
    release: str
    environment: str


@dataclass(frozen=True, kw_only=True)
class Count:
    """Whether the approvals are enough; ``patience`` is how many seconds to wait for more."""

    enough: bool
    sentence: str
    patience: float


def _patience(due: datetime.datetime | None) -> float:
    """Return how many seconds to wait: less, when an author's yes counts before that."""
    left = (due - clock.now()).total_seconds() if due else 0.0
    return min(left + 1, LOOK_AGAIN.total_seconds()) if left > 0 else LOOK_AGAIN.total_seconds()


class Promoting:
    """The steps of `promote`, each safe to run twice."""

    def __init__(self, on: Platform) -> None:
        self._on = on
        self._approving = Approving(on.releases, on.deployments, on.approvals, on.people)

    @durable.step
    async def count_approvals(self, promotion: Promotion) -> Count:
        release = await self._on.releases.get(promotion.release)
        if release.state == "refused":
            raise errors.Refused(await self._why_refused(release))
        decision = await self._approving.decide(release, promotion.environment)
        await self._on.releases.judge(
            release.id,
            promotion.environment,
            "approved",
            open=decision.enough,
            sentence=decision.sentence,
            evidence={"approvals": list(decision.counted)},
        )
        return Count(
            enough=decision.enough,
            sentence=decision.sentence,
            patience=_patience(decision.due),
        )

    async def _why_refused(self, release: Release) -> str:
        told = await self._on.releases.events(release.id)
        return told[-1].sentence if told else f"{release.version} was refused."

    @durable.step
    async def has_expired(self, promotion: Promotion) -> bool:
        release = await self._on.releases.get(promotion.release)
        return clock.now() > release.created + EXPIRY

    @durable.step
    async def expire(self, promotion: Promotion) -> Outcome:
        release = await self._on.releases.get(promotion.release)
        sentence = (
            f"{release.version} waited {EXPIRY.days} days for approval in"
            f" {promotion.environment}; push again to deliver it."
        )
        await self._on.releases.set_state(release.id, "refused")
        await telling.tell(self._on, release, "promotion.expired", sentence)
        return Outcome(good=False, sentence=sentence)

    @durable.step
    async def merge(self, promotion: Promotion) -> bool:
        """Bring a hotfix to main; any other release is there. False when main has moved."""
        release = await self._on.releases.get(promotion.release)
        if release.state == "refused":
            raise errors.Refused(await self._why_refused(release))
        return not release.is_hotfix or await merging.bring_home(self._on, release)

    @durable.step
    async def start_over(self, promotion: Promotion) -> durable.Start:
        """Give up the release, and ask for the run that merges its branch anew."""
        release = await self._on.releases.get(promotion.release)
        await self._on.releases.set_state(release.id, "refused")
        await self._on.sources.forget(release.app, release.run)
        return names.delivery((await self._on.runs.repeat(release.run)).id)

    @durable.step
    async def tag(self, promotion: Promotion) -> str:
        """Tag the commit with the version, unless it has that tag."""
        release = await self._on.releases.get(promotion.release)
        await self._on.sources.tag(release.app, release.version, release.commit, release.changelog)
        return release.version

    @durable.step
    async def ask_for_deployment(self, promotion: Promotion) -> durable.Start:
        release = await self._on.releases.get(promotion.release)
        environment = promotion.environment
        emergency = await self._approving.emergency(release, environment)
        by = [emergency] if emergency else await self._on.approvals.of(release.id, environment)
        asked = await self._on.deployments.ask(
            id=f"dep_{release.id.removeprefix('rel_')}_{environment}",
            release=release,
            environment=environment,
            kind="deploy",
            by=by[-1].person if by else release.authors[0] if release.authors else "policy",
            reason=f"emergency: {emergency.reason}" if emergency else "approved",
            plan=approving.rollout_of(release, environment),
            watch=await self._approving.watch(release, environment),
        )
        return names.deployment(asked)

    @durable.step
    async def fail(self, promotion: Promotion, why: str) -> Outcome:
        release = await self._on.releases.get(promotion.release)
        sentence = f"{release.version} was not promoted to {promotion.environment}: {why}"
        await telling.tell(self._on, release, "promotion.failed", sentence)
        return Outcome(good=False, sentence=sentence)
