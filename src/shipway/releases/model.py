"""Releases, deployments and gates, and the decisions about them. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shipway.kit import errors

ReleaseState = Literal["candidate", "ready", "refused"]
DeploymentState = Literal["waiting", "running", "live", "warm", "retired", "failed", "rolled_back"]
DeploymentKind = Literal["deploy", "rollback"]

EVER_LIVE: tuple[DeploymentState, ...] = ("live", "warm", "retired", "rolled_back")
"""The states of deployments that a rollback may go back to."""

HOLDS_FILES: tuple[DeploymentState, ...] = ("waiting", "running", "live", "warm", "rolled_back")
"""The states of deployments that need the unpacked files of their release."""

AT_ONCE = (1000,)
"""The rollout plan that gives the new release everything in one stage, in per mille."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A build with a version. ``artifacts`` maps names to SHA-256; ``product`` is the
    shipway.toml of its commit, so that a release can be deployed again as it was."""

    id: str
    app: str
    number: int
    version: str
    commit: str
    run: str
    schema_head: str
    artifacts: Mapping[str, str]
    product: str = field(repr=False)
    changelog: str
    authors: tuple[str, ...]
    state: ReleaseState
    created: datetime.datetime
    branch: str = "main"
    """Whose push made it."""
    expired: datetime.datetime | None = None
    """When housekeeping has removed its artifacts."""

    @property
    def is_hotfix(self) -> bool:
        """Whether it came by the short way: an owner's yes, and no staging."""
        return self.branch.startswith("hotfix/")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A release entering an environment.

    ``served_by`` is the deployment whose instances serve this one: itself, or the warm one that
    a rollback brought back. ``before`` is where a rollback from here goes. ``watch`` is why it is
    watched closely, or ""; ``withdrawn`` why somebody ended it before it was live, or "".
    """

    id: str
    app: str
    environment: str
    release: str
    version: str
    kind: DeploymentKind
    state: DeploymentState
    asked_by: str
    reason: str
    served_by: str
    before: str | None
    plan: tuple[int, ...]
    stage: int
    started: datetime.datetime
    ended: datetime.datetime | None
    warm_until: datetime.datetime | None
    sentence: str
    watch: str = ""
    watched_until: datetime.datetime | None = None
    withdrawn: str = ""

    def __str__(self) -> str:
        return f"{self.version} in {self.environment}"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A condition that a deployment must meet, as it was judged, with its evidence."""

    name: str
    environment: str
    open: bool
    sentence: str
    evidence: Mapping[str, Any]
    at: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a release or deployment: a sentence and its evidence."""

    id: int
    subject: str
    sentence: str
    evidence: Mapping[str, Any]
    at: datetime.datetime


def rollback_target(
    live: Deployment | None, history: Sequence[Deployment], *, to: str = ""
) -> Deployment:
    """Return the deployment that a rollback goes back to.

    Without ``to`` it is the one before the live one; after a rollback that is the one before
    *that*, and never the release that was just taken back. ``to`` names a version or release.
    ``history`` holds every deployment that was ever live in the environment, newest first.
    Raises `errors.Refused` saying why there is none.
    """
    if live is None:
        raise errors.Refused(
            "Nothing is live here, so there is nothing to take back.", fix="Deploy a release first."
        )
    if to:
        return _named(live, history, to)
    found = next((one for one in history if one.id == live.before), None)
    if found is None:
        raise errors.Refused(
            f"{live} is the first release that was live here; there is none before it.",
            fix="Push a fix instead.",
        )
    return found


def _named(live: Deployment, history: Sequence[Deployment], to: str) -> Deployment:
    if to in {live.version, live.release}:
        raise errors.Refused(f"{live} is live already.")
    found = next((one for one in history if to in {one.version, one.release}), None)
    if found is None:
        known = ", ".join(dict.fromkeys(one.version for one in history)) or "none"
        raise errors.Refused(
            f"{to} was never live in {live.environment}.", fix=f"These were: {known}."
        )
    return found


def may_follow(release: Release, live: Release | None, *, contains_live: bool) -> None:
    """Raise `errors.Refused` when deploying the release would silently undo the live one."""
    if live is not None and not contains_live:
        what, undone = ("the hotfix", "fix") if live.is_hotfix else ("the commit of", "release")
        raise errors.Refused(
            f"{release.version} lacks {what} {live.version}, which is live:"
            f" deploying it would undo that {undone}.",
            fix="Merge or rebase onto the live commit, or roll back to say that you mean it.",
        )


def watch_sentence(deployment: Deployment | None, now: datetime.datetime) -> str:
    """Say that a deployment is watched closely now, and why; "" when it is not."""
    until = deployment.watched_until if deployment else None
    if deployment is None or until is None or until <= now:
        return ""
    return f"Watched closely until {until:%Y-%m-%d %H:%M} UTC: {deployment.watch}."


def must_have_artifacts(release: Release) -> None:
    """Raise `errors.Refused` for a release of which only the record is left."""
    if release.expired:
        raise errors.Refused(
            f"The artifacts of {release.version} are gone: housekeeping has removed them on"
            f" {release.expired:%d %B %Y}.",
            fix=f"Build it again: push a commit like {release.commit[:12]} to main.",
        )


def stages(plan: Sequence[int], *, done: int) -> Iterator[tuple[int, int]]:
    """Yield the stages of a rollout that are still to come, as (index, per mille)."""
    for index, per_mille in enumerate(plan):
        if index >= done:
            yield index, per_mille


def version_of(number: int) -> str:
    """Return the version of an app's nth release. It is the tag's name too."""
    return f"v{number}"


def changelog(subjects: Sequence[str]) -> str:
    """Return the changelog of a release from the subjects of its commits, newest first."""
    return (
        "\n".join(f"- {subject}" for subject in subjects) or "- No commit since the last release."
    )
