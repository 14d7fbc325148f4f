"""All that the API asks and tells. It stands below `wiring`, which fills it with the real parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shipway.access.answers import Answers
from shipway.access.approvals import Approvals
from shipway.access.audit import Audit
from shipway.access.model import Caller
from shipway.access.passwords import Passwords
from shipway.access.people import People
from shipway.access.sessions import Sessions
from shipway.builds.keeping import Pass
from shipway.builds.logs import Logs
from shipway.builds.model import Run
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.database.backups.records import Records
from shipway.database.records import Records as SchemaRecords
from shipway.database.rehearsed import Rehearsed
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.environments.vault import Vault
from shipway.health.channels import Channels
from shipway.health.outbox import Outbox
from shipway.kit.db import Database
from shipway.kit.settings import Settings
from shipway.releases.model import Deployment
from shipway.releases.records import Deployments, Releases
from shipway.runtime.model import Address, Observed, Place
from shipway.updates.office import Office
from shipway.updates.records import Change
from shipway.workflows.backup_requests import BackupRequests
from shipway.workflows.schema import SchemaRequests


class Requests(Protocol):
    """Starts work (`requests.Requests`)."""

    async def pushes_arrived(self, app: str, by: str) -> list[Run]: ...

    async def resume(self) -> None: ...

    async def cancel(self, run: str, caller: Caller) -> str: ...

    async def retry(self, run: str, caller: Caller) -> Run: ...

    async def end_runs(self, app: str, sentence: str) -> None: ...

    async def approve(
        self,
        release: str,
        environment: str,
        caller: Caller,
        reason: str,
        *,
        emergency: bool = False,
    ) -> str: ...

    async def deploy(
        self, app: str, environment: str, release: str, caller: Caller, reason: str
    ) -> Deployment: ...

    async def roll_back(
        self, app: str, environment: str, to: str, caller: Caller, reason: str
    ) -> Deployment: ...

    async def keep_house(self, caller: Caller, *, dry_run: bool) -> Pass: ...

    async def change_updates(
        self, app: str, action: str, arguments: Mapping[str, Any], caller: Caller
    ) -> Change: ...


class Instance(Protocol):
    """One running copy of a server (`runtime.instances.Instance`)."""

    @property
    def id(self) -> str: ...

    @property
    def release(self) -> str: ...

    @property
    def address(self) -> Address: ...


class Instances(Protocol):
    """The running servers (`runtime.instances.Instances`)."""

    async def running(self, app: str, environment: str) -> Sequence[Instance]: ...

    async def alive(self, instance: Any, /) -> bool: ...

    async def everywhere(self) -> Sequence[tuple[Place, bool]]: ...


class OpenId(Protocol):
    """Says who somebody is (`access.openid.OpenId`)."""

    async def begin(self, back: str) -> Trip: ...

    async def finish(self, trip: Any, answer: Mapping[str, str], /) -> str: ...


class Trip(Protocol):
    """A browser on its way to a provider and back (`access.openid.Trip`)."""

    @property
    def address(self) -> str: ...

    @property
    def state(self) -> str: ...


class Services(Protocol):
    """What runs on the machine, observed (`runtime.port.Keeper`)."""

    async def services(self, prefix: str = "") -> Sequence[Observed]: ...


@dataclass(frozen=True, kw_only=True)
class ApiPlatform:
    """The contexts, each already bound to its ports."""

    settings: Settings
    database: Database
    people: People
    passwords: Passwords
    sessions: Sessions
    approvals: Approvals
    audit: Audit
    answers: Answers
    apps: Apps
    variables: Variables
    vault: Vault
    runs: Runs
    passes: Passes
    sources: Sources
    logs: Logs
    releases: Releases
    deployments: Deployments
    instances: Instances
    services: Services
    channels: Channels
    outbox: Outbox
    updates: Office
    backups: Records
    requests: Requests
    backup_requests: BackupRequests
    openid: OpenId | None = None
    """By whom people may sign in, besides links and passwords."""
    schema: SchemaRecords
    rehearsed: Rehearsed
    schema_requests: SchemaRequests
