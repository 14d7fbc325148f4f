"""Owners, services, tasks and instances: the words of running things. Pure data."""

from __future__ import annotations

import datetime
import enum
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """What an owner is for; each has its own OS user when Shipway is root."""

    STEWARD = "steward"
    """The keeper itself. It takes no orders about itself."""
    API = "api"
    WORKER = "worker"
    INTAKE = "intake"
    EDGE = "edge"
    STORE = "store"
    """Shipway's own PostgreSQL."""
    BUILD = "build"
    """Builds of one app (``app``)."""
    SERVER = "server"
    """Instances of one app in one environment (``app``, ``environment``)."""
    CLUSTER = "cluster"
    """The PostgreSQL of one app in one environment (``app``, ``environment``)."""


@dataclass(frozen=True)
class Owner:
    """Whose folder and OS user something runs with. Paths are derived from it, never taken."""

    kind: Kind
    app: str = ""
    environment: str = ""

    @property
    def slug(self) -> str:
        """The folder's name below ``owners/``: ``server.aios.production``."""
        return ".".join(part for part in (self.kind, self.app, self.environment) if part)

    def sockets(self, home: str) -> str:
        """The folder of the Unix socket of a PostgreSQL (STORE, CLUSTER): short, because a socket's
        path has at most 107 bytes, and outside the owner's folder, because others walk through it.
        """
        digest = hashlib.sha256(self.slug.encode()).hexdigest()[:10]
        return f"{home}/run/{'store' if self.kind is Kind.STORE else digest}"

    def user(self, home: str) -> str:
        """The OS user: at most 32 characters, distinct for each SHIPWAY_HOME."""
        digest = hashlib.sha256(f"{home}\0{self.slug}".encode()).hexdigest()[:10]
        readable = re.sub(r"[^a-z0-9]", "", f"{self.kind}{self.app}")[:14]
        return f"sw-{readable}-{digest}"


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What a task may see and use. The rest of the machine is not there.

    ``readable`` and ``writable`` are folders relative to the owner's own folder, mounted at the
    same name below ``/box``; writable ones are made when missing. ``mounted_as`` gives some of
    them another name there (``{"runs/run_1/source": "src"}``), so that a path inside does not
    depend on the run; a folder may be mounted inside another one, so outer ones come first.
    The platform's tools, SHIPWAY_HOME/tools, are always readable at ``/box/tools``; the user
    inside has a name, as initdb wants. ``cwd`` of the task is relative to ``/box``.
    ``network`` gives the host's network and the registry settings. ``disk_bytes`` bounds what the
    task writes below ``writable``, ``temporary_bytes`` what it writes to ``/tmp``.
    """

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    mounted_as: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    memory_bytes: int = 4 * 1024**3
    processes: int = 512
    temporary_bytes: int = 2 * 1024**3
    disk_bytes: int = 10 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something run once as an owner, to its end, in the folder ``cwd`` of that owner.

    ``argv`` and ``env`` may hold ``{owner}``: the owner's folder as the task sees it.
    A task with the same ``key`` that still runs is ended first: it is what a killed worker left.
    """

    owner: Owner
    argv: tuple[str, ...]
    key: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = "."
    timeout: float = 600.0
    stdin: bytes = field(default=b"", repr=False)
    sandbox: Sandbox | None = None
    output_bytes: int = 64 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Service:
    """Something kept running as an owner: restarted with back-off, with its own rotated log.

    ``env`` is written to a file of mode 0600. ``grace`` is how many seconds it has after the
    stop signal. ``bind_low_ports`` lets it listen below 1024 without being root. ``secrets`` are
    hidden from its log before that is written.
    """

    owner: Owner
    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = "."
    stop_signal: str = "SIGTERM"
    grace: float = 30.0
    bind_low_ports: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A service as it is now. ``pid`` is 0 when it is down; ``restarts`` counts since it was put.

    ``orphans`` are ids of processes of this service whose supervisor has died: they may serve on.
    """

    name: str
    owner: Owner
    up: bool
    pid: int
    since: datetime.datetime
    restarts: int
    wanted_up: bool
    orphans: tuple[int, ...] = ()


@dataclass(frozen=True)
class Address:
    """Where an instance listens: never a process id."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an instance stands: the how-manieth copy of a deployment."""

    app: str
    environment: str
    release: str
    deployment: str
    index: int

    @property
    def owner(self) -> Owner:
        return Owner(Kind.SERVER, self.app, self.environment)

    def service(self, port: int) -> str:
        """The name of the service that keeps an instance; no two have the same port at a time."""
        return f"server.{self.app}.{self.environment}.{self.release}.{port}"

    @staticmethod
    def port_of(service: str) -> int:
        """The port in the name of an instance's service; 0 where there is none."""
        port = service.rpartition(".")[2]
        return int(port) if port.isdecimal() else 0

    def __str__(self) -> str:
        return f"{self.app} in {self.environment}, {self.release} number {self.index + 1}"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One running copy of an app's server, or one that should run."""

    id: str
    place: Place
    service: str
    address: Address

    @property
    def deployment(self) -> str:
        return self.place.deployment

    @property
    def release(self) -> str:
        return self.place.release


@dataclass(frozen=True, kw_only=True)
class Start:
    """An instance to be started. ``env`` is opened; ``secrets`` are those in it. ``argv`` may hold
    ``{server}`` and ``{port}``.

    An empty ``argv`` starts it as its kind (``python``, ``node``) is always started. With Node,
    ``main`` is the file that is started and ``cwd`` where, relative to the repository.
    """

    app: str
    environment: str
    release: str
    deployment: str
    index: int
    kind: str
    argv: tuple[str, ...] = ()
    main: str = ""
    cwd: str = "."
    port_variable: str = "PORT"
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    drain_seconds: float = 30.0

    @property
    def place(self) -> Place:
        return Place(
            app=self.app,
            environment=self.environment,
            release=self.release,
            deployment=self.deployment,
            index=self.index,
        )


class Ailment(enum.StrEnum):
    """What can be wrong with an instance that its supervisor cannot mend."""

    ORPHANED = "orphaned"
    """It serves, but its supervisor died, and nobody would start it again: it needs a successor
    on another port, and is stopped when traffic has gone there."""
    GONE = "gone"
    """It should run, and its service is not kept: it is to be started again."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An instance that needs mending, with a sentence that says why."""

    instance: Instance
    ailment: Ailment
    sentence: str


def findings(instances: Sequence[Instance], observed: Sequence[Observed]) -> tuple[Finding, ...]:
    """Compare the instances that there should be with the services that there are."""
    seen = {one.name: one for one in observed}
    found = []
    for instance in instances:
        service = seen.get(instance.service)
        if service is None:
            sentence = f"{instance.place} should run at {instance.address} and is not kept."
            found.append(Finding(instance=instance, ailment=Ailment.GONE, sentence=sentence))
        elif service.orphans:
            sentence = (
                f"{instance.place} serves at {instance.address} as process {service.orphans[0]},"
                " whose supervisor has died."
            )
            found.append(Finding(instance=instance, ailment=Ailment.ORPHANED, sentence=sentence))
    return tuple(found)
