"""`kill -9` of every part while a run is under way and users ask: the run ends as it would have."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Sequence

import psutil
import pytest
from demo.load import Load
from tests.chaos import tally, victims
from tests.chaos.trial import Trial
from tests.chaos.victims import EDGE, ENDED_AS_ORPHANS, PARTS, ROOT, Part

from shipway.kit import durable

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("kills")]

SHIFTS = range(len(PARTS)) if os.environ.get("SHIPWAY_KILL_AT") else range(1)
"""Inside each step one part is killed, and inside the next step the next part: so each is in every
history. `./dev soak` begins the list at each of its places, and so kills every part in every step."""

USERS = 20
"""More than there are: of so many answers the last one surely began after the first."""


class Kills:
    """Kills one part inside each step, the one that was spared the longest."""

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
            orphans = victims.children(lost) if lost and part in ENDED_AS_ORPHANS else []
            if lost and victims.kill(lost):
                self._next.remove(part)
                self._next.append(part)
                self.counted[str(part)] += 1
                self._history.append((began, part))
                if part in {EDGE, *ENDED_AS_ORPHANS}:
                    self._watching.append(asyncio.create_task(self._see_it_back(began, orphans)))
                return

    async def _see_it_back(self, began: float, orphans: Sequence[psutil.Process]) -> None:
        """Excuse what fails until Envoy, or the app's database, is there again: what was inside it,
        also where it lost its supervisor and was ended for its successor."""
        while any(one.is_running() for one in orphans):  # noqa: ASYNC110 -- no child of ours
            await asyncio.sleep(0.05)
        await self._trial.answer("production", "/health")
        await self._users.see_any(times=USERS)
        self._excused.append((began, time.monotonic()))

    async def failures(self) -> list[str]:
        """Return the requests that failed without excuse, each with what was killed before."""
        await asyncio.gather(*self._watching)
        failures = self._users.failures(but=self._excused)
        return [f"{failure}, {self._since(at)}" for at, failure in failures]

    def _since(self, at: float) -> str:
        began, part = max(kill for kill in ((0.0, ROOT), *self._history) if kill[0] <= at)
        return f"{at - began:.1f} s after {part}"


@pytest.mark.parametrize("shift", SHIFTS)
async def test_a_run_outlives_the_death_of_every_part(trial: Trial, shift: int) -> None:
    stage = trial.stage
    async with Load(stage.url("production"), stage.edge, stage.ca_file, path="/") as users:
        kills = Kills(trial, users, shift)
        async with trial.at_each_point(kills.inside):
            await trial.history()
        await users.see_any(times=20)
        failures = await kills.failures()

    twice = await trial.double_effects()
    tally.kills("parts", kills.counted, twice)
    assert twice == []
    if failures:
        print(*failures, *trial.refusals(), sep="\n")
    assert not failures
    assert set(kills.counted) == {str(part) for part in PARTS}
