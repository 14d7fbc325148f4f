"""Runs, steps and artifacts: the words of building. Pure data."""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAIN = "main"
"""The branch whose runs deliver. Caches that it uses are written by its runs alone."""

HOTFIX = "hotfix/"
"""How the names of branches begin that go to production by the short way."""


class RunKind(enum.StrEnum):
    """How much a run does."""

    FULL = "full"
    """Every test, every artifact, delivery by way of staging."""
    HOTFIX = "hotfix"
    """The same of a hotfix merged into main, but staging is skipped."""
    FAST = "fast"
    """The fast tests and every artifact."""

    @property
    def delivers(self) -> bool:
        return self is not RunKind.FAST


def kind_of(branch: str) -> RunKind:
    """Return what a push to a branch starts."""
    if branch == MAIN:
        return RunKind.FULL
    return RunKind.HOTFIX if branch.startswith(HOTFIX) else RunKind.FAST


class State(enum.StrEnum):
    """Where a run or a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in {State.WAITING, State.RUNNING}


@dataclass(frozen=True, kw_only=True)
class Push:
    """A commit that arrived on a branch. ``number`` counts the pushes of an app, from 1.

    ``before`` is what the branch was at, or "" when it is new; ``commit`` is "" when the
    branch was deleted.
    """

    app: str
    number: int
    branch: str
    before: str
    commit: str
    by: str
    at: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a push started. ``sentence`` says how it stands, or how it ended."""

    id: str
    app: str
    branch: str
    commit: str
    push: int
    kind: RunKind
    state: State
    pushed_by: str
    created: datetime.datetime
    started: datetime.datetime | None
    ended: datetime.datetime | None
    sentence: str

    @property
    def is_trusted(self) -> bool:
        """Whether it may write what later runs of `MAIN` read."""
        return self.branch == MAIN

    @property
    def caches(self) -> str:
        """The caches that what it fetches goes through. A hotfix shares none: it goes to
        production, and it is not main yet."""
        if self.kind is RunKind.HOTFIX:
            return ""
        return "main" if self.is_trusted else "branches"


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of a run. ``facts`` are what it found out, such as the fingerprint."""

    run: str
    name: str
    state: State
    cached: bool
    started: datetime.datetime | None
    ended: datetime.datetime | None
    sentence: str
    facts: Mapping[str, str]


class StepKind(enum.StrEnum):
    """Which recipe a step follows (``box/recipes.py``)."""

    NODE = "node"
    """Fetches Node in the version of the app, with network."""
    INSTALL = "install"
    """Fetches dependencies, with network; later steps see the folders that it makes."""
    TEST = "test"
    WHEELS = "wheels"
    """Fetches the dependencies of a Python server, with network."""
    PYTHON_SERVER = "python server"
    NODE_SERVER = "node server"
    COMMAND_SERVER = "command server"
    MIGRATIONS = "migrations"
    FINGERPRINTS = "fingerprints"
    EXPORT = "export"

    @property
    def fetches(self) -> bool:
        """Whether it brings in what no commit holds, by way of caches that outlive it."""
        return self in {StepKind.INSTALL, StepKind.WHEELS, StepKind.NODE}


@dataclass(frozen=True, kw_only=True)
class BuildStep:
    """One command in a sandbox: what it runs and the little that it sees.

    ``inputs`` are the paths of the commit that it sees, with ``*`` in the last part of one
    matching several; a path that the commit lacks is left out. ``needs`` are the steps whose
    results it sees too. ``details`` are for the recipe; ``files`` are put into ``/box/run``.
    ``network`` is the host's network. ``timeout`` is in seconds. ``base`` is the digest of an
    older artifact that the new one should differ little from; what a step has given once it
    gives again, whatever the base.
    """

    name: str
    kind: StepKind
    folder: str = "."
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    network: bool = False
    timeout: float = 900.0
    produces: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    cacheable: bool = True
    base: str = ""

    @property
    def slug(self) -> str:
        """Its name as a file name."""
        return slug(self.name)


def slug(name: str) -> str:
    """Return a step's name as a file name: ``export ios staging`` is ``export-ios-staging``."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "step"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Layers of steps: those of one layer may run side by side, the next one after them all."""

    layers: tuple[tuple[BuildStep, ...], ...]

    @property
    def steps(self) -> tuple[BuildStep, ...]:
        return tuple(step for layer in self.layers for step in layer)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a step gave. ``artifacts`` maps names to digests; ``seconds`` is what it took when
    it really ran; ``cached`` says that this time it did not."""

    name: str
    artifacts: dict[str, str]
    cached: bool
    seconds: float
    facts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact of a run with its provenance. ``size`` is in bytes."""

    run: str
    name: str
    digest: str
    kind: str
    size: int
    commit: str
    provenance: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit: who wrote it, when, and the first line of its message."""

    sha: str
    author: str
    email: str
    at: datetime.datetime
    subject: str
