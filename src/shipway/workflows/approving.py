"""Whether a release has the approvals that its environment asks for."""

from __future__ import annotations

from dataclasses import dataclass

from shipway import appfile
from shipway.access import model as access
from shipway.access.approvals import Approvals
from shipway.access.model import Role
from shipway.access.people import People
from shipway.environments import policy
from shipway.environments.policy import Policy
from shipway.kit import clock, errors
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.workflows import names


@dataclass(frozen=True)
class Approving:
    """Judges by the policy in force, or by the release's own where that is stricter: no push
    weakens the gate that it has to pass, and an owner has to accept what would be weaker after it.

    In force is the policy of the release that is live, for that one was approved; before the
    first it is the default.
    """

    releases: Releases
    deployments: Deployments
    approvals: Approvals
    people: People

    async def decide(self, release: Release, environment: str) -> access.Decision:
        """Judge the approvals that there are now."""
        return access.enough(
            await self.approvals.of(release.id, environment),
            await self._rule(release, environment),
            access.Voters(
                authors=frozenset(release.authors),
                approvers=await self.people.having(Role.APPROVER),
                owners=await self.people.having(Role.OWNER),
            ),
            ready_since=release.created,
            now=clock.now(),
        )

    async def emergency(self, release: Release, environment: str) -> access.Approval | None:
        """Return the yes of an owner that goes past the others, if there is one."""
        owners = await self.people.having(Role.OWNER)
        given = await self.approvals.of(release.id, environment)
        return next((a for a in given if a.emergency and a.person in owners), None)

    async def watch(self, release: Release, environment: str) -> str:
        """Return why a release is to be watched closely once it is there, or ""."""
        hotfix = "it is a hotfix" if release.is_hotfix else ""
        emergency = await self.emergency(release, environment)
        alone = "it came in an emergency" if emergency else ""
        return ", and ".join(why for why in (hotfix, alone) if why)

    async def _rule(self, release: Release, environment: str) -> access.Rule:
        live = await self.deployments.live(release.app, environment)
        before = await self.releases.get(live.release) if live else None
        in_force = policy_of(before, environment)
        own = policy_of(release, environment)
        weaker = policy.weakened(environment, own, in_force)
        return access.Rule(
            count=max(in_force.approvals, own.approvals, int(release.is_hotfix)),
            by_owner=release.is_hotfix,
            approve_own=in_force.approve_own and own.approve_own,
            weaker=weaker if environment == names.PRODUCTION else (),
        )


def policy_of(release: Release | None, environment: str) -> Policy:
    """Return what a release's shipway.toml asks of an environment; without one, the default."""
    product = None
    if release:
        product = appfile.parse(release.product, where=f"shipway.toml of {release.version}")
    return policy.for_product(product, environment).policy


def rollout_of(release: Release, environment: str) -> tuple[int, ...]:
    """Return the shares by which a release enters, in per mille."""
    return tuple(share * 10 for share in policy_of(release, environment).rollout)


def must_have_been_built_for(environment: str, release: Release) -> None:
    """Raise `errors.Refused` for an environment that Shipway does not deploy this release to."""
    product = appfile.parse(release.product, where=f"shipway.toml of {release.version}")
    known = [name for name in names.DEPLOYED if name in product.environments]
    if environment not in known:
        raise errors.Refused(
            f"{release.version} cannot go to {environment}: its shipway.toml has"
            f" {' and '.join(known) or 'neither staging nor production'}",
            fix=f"Add [environments.{environment}] to it and push.",
        )
