"""Which releases keep their artifacts, so that they can be deployed or rolled back to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from shipway.releases.model import HOLDS_FILES, Deployment, Release

STEPS_BACK = 3
"""Rollbacks in a row that must find their release."""


def kept(
    releases: Sequence[Release],
    deployments: Sequence[Deployment],
    *,
    approved: Collection[str],
    active_runs: Collection[str],
    most: int,
) -> Mapping[str, str]:
    """Return the releases of one app that keep their artifacts, each with the reason.

    ``releases`` are all of the app, newest first, ``deployments`` all of its environments;
    ``approved`` are the releases that somebody has said yes to.
    """
    live = {one.environment: one for one in deployments if one.state == "live"}
    newest_live = {one.release for one in live.values()}
    numbers = {one.id: one.number for one in releases}
    newest = max((numbers.get(release, 0) for release in newest_live), default=0)
    reasons: dict[str, str] = {}
    for index, one in enumerate(releases):
        if index < most:
            reasons[one.id] = f"it is one of the newest {most}"
        elif one.id in approved and one.number > newest:
            reasons[one.id] = "it is approved and waits"
        elif one.run in active_runs:
            reasons[one.id] = "its run goes on"
    reasons |= dict(_deployed(deployments))
    for one_live in live.values():
        reasons |= dict(_behind(one_live, deployments))
    return reasons


def _deployed(deployments: Sequence[Deployment]) -> Iterator[tuple[str, str]]:
    for one in deployments:
        if one.state in HOLDS_FILES:
            yield one.release, f"it is {one.state} in {one.environment}"


def _behind(live: Deployment, deployments: Sequence[Deployment]) -> Iterator[tuple[str, str]]:
    """Yield where rollbacks from the live deployment lead, one after the other."""
    by_id = {one.id: one for one in deployments}
    at = live
    for _ in range(STEPS_BACK):
        before = by_id.get(at.before or "")
        if before is None:
            return
        yield before.release, f"a rollback of {live.environment} goes back to it"
        at = before
