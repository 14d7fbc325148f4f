"""What a deployment works with, gathered from the record: the release, its product, its site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipway import appfile
from shipway.appfile.model import Product
from shipway.environments import policy
from shipway.kit import errors
from shipway.releases.model import Deployment, Release
from shipway.updates.model import PLATFORMS
from shipway.workflows.platform import Platform
from shipway.workflows.traffic import Part, Site

SERVER, NODE, WEB, MIGRATIONS = "server", "node", "web.{environment}", "migrations"
"""Names of artifacts, as the build plan gives them."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A deployment with everything that its steps need to know. Holds no secret."""

    deployment: Deployment
    release: Release
    product: Product
    site: Site

    @property
    def app(self) -> str:
        return self.deployment.app

    @property
    def environment(self) -> str:
        return self.deployment.environment

    @property
    def server(self) -> str:
        """The digest of the server's artifact, or "" without one."""
        return self.release.artifacts.get(SERVER, "")

    @property
    def node(self) -> str:
        """The digest of the release's own Node, or "" when it runs with the machine's."""
        return self.release.artifacts.get(NODE, "")

    @property
    def migrations(self) -> str:
        return self.release.artifacts.get(MIGRATIONS, "")

    def part(self, per_mille: int) -> Part:
        """Return this deployment's part of the traffic."""
        return Part(
            deployment=self.deployment.served_by,
            per_mille=per_mille,
            has_server=bool(self.server),
            export=self.release.artifacts.get(WEB.format(environment=self.environment), ""),
        )


async def entry_of(on: Platform, deployment: str) -> Entry:
    """Gather what a deployment needs from the record."""
    found = await on.deployments.get(deployment)
    release = await on.releases.get(found.release)
    product = appfile.parse(release.product, where=f"shipway.toml of {release.version}")
    return Entry(
        deployment=found,
        release=release,
        product=product,
        site=site_of(product, found.app, found.environment),
    )


def site_of(product: Product, app: str, environment: str) -> Site:
    file = product.environments.get(environment)
    if file is None:
        raise errors.Refused(
            f"The shipway.toml of {app} has no environment {environment}",
            fix=f"Add [environments.{environment}] to it and push.",
        )
    return Site(
        app=app,
        environment=environment,
        hosts=(
            (file.domain, "client"),
            (file.api_domain, "server"),
            *((route.host, route.to) for route in file.routes),
        ),
        policy=policy.for_product(product, environment).policy,
        has_updates=bool(product.client and set(product.client.platforms) & set(PLATFORMS)),
    )


async def parts_after(on: Platform, entry: Entry, per_mille: int) -> Sequence[Part]:
    """Return the traffic when the entering release has so much, and the live one the rest."""
    mine = entry.part(per_mille)
    live = await on.deployments.live(entry.app, entry.environment)
    if live is None or live.id == entry.deployment.id:
        return (entry.part(1000),)
    other = (await entry_of(on, live.id)).part(1000 - per_mille)
    return (mine, other)
