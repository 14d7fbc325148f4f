"""`kill -9` of the worker inside every step of every workflow: each ends as it would have."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from demo.load import Load
from tests.chaos import tally
from tests.chaos.trial import STEPS, Trial, step_of

from shipway.kit import durable

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("kills")]

MOMENTS = os.environ.get("SHIPWAY_KILL_AT", "inside").split()
"""`./dev soak` kills at all four: before, inside, done, recorded."""


async def test_every_step_survives_the_death_of_the_worker(trial: Trial) -> None:
    stage, seen = trial.stage, set[durable.Point]()
    kills: Counter[str] = Counter()

    async def kill_once(point: durable.Point) -> None:
        if point.moment in MOMENTS and point not in seen:
            seen.add(point)
            kills[step_of(point)] += 1
            trial.kill_worker()

    async with (
        Load(stage.url("production"), stage.edge, stage.ca_file, path="/") as users,
        trial.at_each_point(kill_once),
    ):
        await trial.history()
        await keys_come_and_go(trial)
        async with stage.api() as api:
            assert (await api.keep_house(dry_run=False)).ended
        await users.see_any(times=20)

    twice, answers = await trial.double_effects(), users.figures()
    tally.kills("worker", kills, twice, lost_requests=answers["failed_requests"])
    assert twice == []
    assert answers["failures"] == []
    assert sorted(kills) == STEPS


async def keys_come_and_go(trial: Trial) -> None:
    """What people ask about updates; `test_update_kills.py` looks closer."""
    stage = trial.stage
    for typed in (("create", "one"), ("rotate",), ("retire", "one")):
        await stage.shipway("update", "keys", *typed, "--app", stage.app)
    async with stage.api() as api:
        keys = (await api.update_keys(stage.app)).items
    assert [(key.id, key.retired is None) for key in keys] == [("one", False), ("main-2", True)]
