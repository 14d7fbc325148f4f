"""Which databases are backed up, and how often: those of live releases, by their policy."""

from __future__ import annotations

from typing import Protocol

from shipway import appfile
from shipway.database.backups.keeping import Site
from shipway.database.backups.model import SCHEDULES
from shipway.environments import policy
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.kit import errors
from shipway.releases.records import Deployments, Releases
from shipway.workflows import names


class Known(Protocol):
    """What must be known for it; the worker's platform and the API's both have it."""

    @property
    def apps(self) -> Apps: ...

    @property
    def variables(self) -> Variables: ...

    @property
    def releases(self) -> Releases: ...

    @property
    def deployments(self) -> Deployments: ...


async def sites(on: Known) -> list[Site]:
    """Return every environment that is backed up."""
    found = []
    for app in await on.apps.all():
        for environment in names.DEPLOYED:
            try:
                found.append(await site_of(on, app.name, environment))
            except errors.Refused:
                continue
    return found


async def site_of(on: Known, app: str, environment: str) -> Site:
    """Return how an environment is backed up. Raises `errors.Refused` with why it is not."""
    await on.apps.get(app)
    policy.check_environment(environment)
    live = await on.deployments.live(app, environment)
    if live is None:
        raise errors.Refused(f"{environment} of {app} has no live release, and nothing to back up")
    product = appfile.parse((await on.releases.get(live.release)).product)
    if product.database is None:
        raise errors.Refused(f"{live.version} of {app} has no database")
    if await on.variables.provider_database(app, environment):
        raise errors.Refused(
            f"The database of {app} in {environment} is the provider's, and so are its backups"
        )
    wanted = policy.for_product(product, environment).policy.backups
    if wanted not in SCHEDULES:
        raise errors.Refused(
            f"The policy of {environment} has no backups",
            fix=f'Set backups = "daily" in [environments.{environment}.policy] and push.',
        )
    return Site(app=app, environment=environment, schedule=SCHEDULES[wanted])
