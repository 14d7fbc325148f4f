"""Whether a release has the approvals that its environment asks for."""

from __future__ import annotations

from dataclasses import dataclass

from shipway.access import model as access
from shipway.access.approvals import Approvals
from shipway.access.people import People
from shipway.environments import policy
from shipway.environments.apps import Apps
from shipway.kit import clock
from shipway.releases.model import Release


@dataclass(frozen=True)
class Approving:
    """Judges by the policy of the shipway.toml in force: a release cannot weaken its own gates."""

    apps: Apps
    approvals: Approvals
    people: People

    async def decide(self, release: Release, environment: str) -> access.Decision:
        """Judge the approvals that there are now."""
        product = await self.apps.product(release.app)
        in_force = policy.for_product(product, environment).policy
        return access.enough(
            await self.approvals.of(release.id, environment),
            access.Rule(count=in_force.approvals, approve_own=in_force.approve_own),
            authors=frozenset(release.authors),
            approvers=await self.people.approvers(),
            ready_since=release.created,
            now=clock.now(),
        )
