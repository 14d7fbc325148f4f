"""`kill -9` of every part while a run is under way and users ask: the run ends as it would have."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Sequence

import psutil
import pytest
from demo.load import PER_SECOND, Load
from demo.stage import Failed
from tests.chaos import tally, victims
from tests.chaos.trial import Trial
from tests.chaos.victims import APP, DATABASE, EDGE, ENDED_AS_ORPHANS, PARTS, ROOT, Part, Role

from shipway.kit import durable

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("kills")]

SHIFTS = int(os.environ.get("SHIPWAY_SHIFTS", "1"))
"""Inside each step one part is killed, and inside the next step the next part: so each is in every
history. `./dev soak` begins the list at several of its places; as many as there are parts kill
every part in every step."""

USERS = 20
"""More than there are: of so many answers the last one surely began after the first."""

CLEAN = 4 * PER_SECOND
"""So many good answers in a row say that what was lost is back: they come at a steady rate, and in
longer than it takes the edge to ask an endpoint twice. A question that it asked while the database
was away may end, badly, after others were answered well again."""


BACK_SECONDS = 60.0
"""Longer than any part may take to come back."""

STEADY_SECONDS = 1.5
"""A log that cannot have its folder yet is tried again after a second."""


class Kills:
    """Kills one part inside each step, the one that was spared the longest, when the one before
    is back: an instance that loses all who keep it at once has nobody to read what it says, and
    the root needs the steward."""

    def __init__(self, trial: Trial, users: Load, shift: int) -> None:
        self._next = deque(PARTS)
        self._next.rotate(-shift)
        self._trial = trial
        self._users = users
        self._steps: set[tuple[str, str]] = set()
        self._watching: list[asyncio.Task[None]] = []
        self._excused: list[tuple[float, float]] = []
        self._history: list[tuple[float, Part]] = []
        self.counted: Counter[str] = Counter()

    async def inside(self, point: durable.Point) -> None:
        step = (point.workflow, point.step)
        if point.moment != "inside" or step in self._steps:
            return
        self._steps.add(step)
        for part in tuple(self._next):
            lost, began = victims.find(part, self._trial.stage), time.monotonic()
            orphans = victims.children(lost) if lost and part.role == Role.SUPERVISOR else []
            if lost and victims.kill(lost):
                self._next.remove(part)
                self._next.append(part)
                self.counted[str(part)] += 1
                self._history.append((began, part))
                if part in {EDGE, *ENDED_AS_ORPHANS}:
                    self._watching.append(
                        asyncio.create_task(self._see_it_back(part, began, orphans))
                    )
                await self._until_back(part, lost, orphans)
                return

    async def _until_back(
        self, part: Part, lost: psutil.Process, orphans: Sequence[psutil.Process]
    ) -> None:
        """Wait until another has its place, and the steward has ended what had lost its keeper.
        An instance is replaced by the worker, which waits for us."""
        steady = STEADY_SECONDS if part.role == Role.LOG else 0.0
        before, since = None, time.monotonic()
        of_app, latest = part.service == APP[0], since + BACK_SECONDS
        while time.monotonic() < latest:
            now = victims.find(part, self._trial.stage)
            if now != before:
                before, since = now, time.monotonic()
            ended = of_app or not any(one.is_running() for one in orphans)
            if ended and now not in {None, lost} and time.monotonic() - since >= steady:
                return
            await asyncio.sleep(0.05)
        raise Failed(f"{part} is not back: {now}, {orphans}")

    async def _see_it_back(
        self, part: Part, began: float, orphans: Sequence[psutil.Process]
    ) -> None:
        """Excuse what fails until Envoy, or the app's database, is there again: what was inside it,
        also where it lost its supervisor and was ended for its successor."""
        while any(one.is_running() for one in orphans):  # noqa: ASYNC110 -- no child of ours
            await asyncio.sleep(0.05)
        await self._trial.answer("production", "/health")
        await self._users.see_any(times=USERS)
        back = time.monotonic()
        if part == DATABASE:
            back = await self._users.see_clean(times=CLEAN)
        self._excused.append((began, back))

    async def failures(self) -> list[str]:
        """Return the requests that failed without excuse, each with what was killed before."""
        await asyncio.gather(*self._watching)
        failures = self._users.failures(but=self._excused)
        return [f"{failure}, {self._since(at)}" for at, failure in failures]

    def _since(self, at: float) -> str:
        began, part = max(kill for kill in ((0.0, ROOT), *self._history) if kill[0] <= at)
        return f"{at - began:.1f} s after {part}"


@pytest.mark.parametrize("shift", [one * len(PARTS) // SHIFTS for one in range(SHIFTS)])
async def test_a_run_outlives_the_death_of_every_part(trial: Trial, shift: int) -> None:
    stage = trial.stage
    async with Load(stage.url("production"), stage.edge, stage.ca_file, path="/") as users:
        kills = Kills(trial, users, shift)
        async with trial.at_each_point(kills.inside):
            await trial.history()
        await users.see_any(times=20)
        failures = await kills.failures()

    twice = await trial.double_effects()
    tally.kills(tally.PARTS, kills.counted, twice, lost_requests=len(failures))
    assert twice == []
    if failures:
        print(*failures, *trial.refusals(), sep="\n")
    assert not failures
    assert set(kills.counted) == {str(part) for part in PARTS}
