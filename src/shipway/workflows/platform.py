"""All that the workflows act on. `wiring` fills it with the real parts, tests with fakes."""

from __future__ import annotations

from dataclasses import dataclass

from shipway.access.approvals import Approvals
from shipway.access.people import People
from shipway.builds.logs import Logs
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.builds.steps import Builder
from shipway.database.backups.keeping import Backups
from shipway.database.clusters import Clusters
from shipway.database.migrations import Migrations
from shipway.database.records import Records as SchemaRecords
from shipway.database.rehearsed import Rehearsed
from shipway.database.rehearsing import Rehearsals
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.health.outbox import Outbox
from shipway.kit.blobs import Blobs
from shipway.kit.settings import Settings
from shipway.releases.records import Deployments, Releases
from shipway.runtime.instances import Instances
from shipway.runtime.port import Keeper
from shipway.updates.office import Office
from shipway.workflows.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The contexts, each already bound to its ports."""

    settings: Settings
    apps: Apps
    variables: Variables
    people: People
    approvals: Approvals
    runs: Runs
    passes: Passes
    keeper: Keeper
    sources: Sources
    builder: Builder
    logs: Logs
    blobs: Blobs
    releases: Releases
    deployments: Deployments
    instances: Instances
    clusters: Clusters
    backups: Backups
    migrations: Migrations
    rehearsals: Rehearsals
    rehearsed: Rehearsed
    schema: SchemaRecords
    traffic: Traffic
    outbox: Outbox
    updates: Office
