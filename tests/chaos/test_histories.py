"""Random histories of what people do, with a worker that dies: what is live is what a model says.

`./dev test` tells two short ones. In `./dev soak`, ``SHIPWAY_HISTORIES`` makes them long.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from typing import Any, ClassVar

import hypothesis
import hypothesis.errors
import pytest
from hypothesis import stateful, strategies
from tests.chaos import tally
from tests.chaos.trial import PATIENCE_SECONDS, Trial, step_of

from shipway.kit import durable, errors

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("kills")]

LONG = bool(os.environ.get("SHIPWAY_HISTORIES"))
WORDS = "server/tests/words.py"
CANCELLED_IN = ("deliver.check_out", "deliver.perform", "deliver.release")
CHOICES = strategies.integers(min_value=0, max_value=1000)
"""Which of what there is then: the platform goes on from one history to the next, so what is
drawn must not depend on it."""

ENDINGS = {"enter.settle", "enter.withdraw", "enter.give_up"}


class Histories(stateful.RuleBasedStateMachine):
    """One app; each rule is something that a person does, or a death, and the model knows the end."""

    trial: ClassVar[Trial]
    loop: ClassVar[asyncio.AbstractEventLoop]
    kills: ClassVar[Counter[str]]
    failure: ClassVar[BaseException | None]

    def __init__(self) -> None:
        super().__init__()
        self.kill_in = 0
        self.cancel_in = ""
        self.failing = 0
        self.deploying: dict[str, str] = {}
        self.trial.on_point = self._at

    def do(self, made: Coroutine[Any, Any, None]) -> None:
        """Do something on the platform. After the first failure nothing is done any more:
        hypothesis tells a failing history again, and the platform cannot go back."""
        if type(self).failure:
            made.close()
            return
        try:
            asyncio.run_coroutine_threadsafe(made, self.loop).result(PATIENCE_SECONDS * 2)
        except BaseException as error:
            type(self).failure = error
            raise

    @classmethod
    def first_failure(cls) -> BaseException | None:
        return cls.failure

    async def _at(self, point: durable.Point) -> None:
        self._see_that_it_is_alone(point)
        if (step := step_of(point)) == self.cancel_in and point.moment == "inside":
            self.cancel_in = ""
            async with self.trial.stage.api() as api:
                await api.cancel(point.workflow)
        if self.kill_in:
            self.kill_in -= 1
            if not self.kill_in:
                self.kills[step] += 1
                self.trial.kill_worker()

    def _see_that_it_is_alone(self, point: durable.Point) -> None:
        """At most one deployment at a time enters an environment."""
        if not point.workflow.startswith("dep_"):
            return
        lane = "staging" if point.workflow.endswith("_staging") else "production"
        assert self.deploying.setdefault(lane, point.workflow) == point.workflow
        if step_of(point) in ENDINGS and point.moment == "recorded":
            del self.deploying[lane]

    # --- what people do ---------------------------------------------------------------------------

    @stateful.rule()
    def push(self) -> None:
        self.do(self._push())

    async def _push(self) -> None:
        await self.trial.deliver()

    @stateful.rule()
    def push_a_failing_test(self) -> None:
        self.do(self._push_a_failing_test())

    async def _push_a_failing_test(self) -> None:
        self.failing += 1

        def broken(text: str) -> str:
            return text.replace("assertTrue", "assertFalse") + f"\n# {self.failing}\n"

        def mended(text: str) -> str:
            return text.replace("assertFalse", "assertTrue")

        run = await self.trial.push(await self.trial.commit(WORDS, broken))
        assert run.state == "failed", run.sentence
        self.trial.stage.change(WORDS, mended)

    @stateful.rule(step=strategies.sampled_from(CANCELLED_IN))
    def push_and_cancel(self, step: str) -> None:
        self.do(self._push_and_cancel(step))

    async def _push_and_cancel(self, step: str) -> None:
        commit = await self.trial.change()
        self.cancel_in = step
        run = await self.trial.push(commit)
        assert run.state == "cancelled", run.sentence

    @stateful.rule(choice=CHOICES)
    def approve(self, choice: int) -> None:
        self.do(self._approve(choice))

    async def _approve(self, choice: int) -> None:
        if ready := self.trial.expected.ready:
            await self.trial.promote(ready[choice % len(ready)])

    @stateful.rule()
    def approve_what_one_wrote_oneself(self) -> None:
        self.do(self._approve_own())

    async def _approve_own(self) -> None:
        if ready := self.trial.expected.ready:
            assert "0 of 1" in await self.trial.approve(ready[-1], person="dev")

    @stateful.rule()
    def deploy_what_nobody_approved(self) -> None:
        self.do(self._deploy())

    async def _deploy(self) -> None:
        if ready := self.trial.expected.ready:
            async with self.trial.stage.api() as api:
                asked = await api.deploy(self.trial.stage.app, "production", ready[-1])
            assert (await self.trial.ended(lambda one: one.id == asked.id)).state == "failed"

    @stateful.rule()
    def roll_back(self) -> None:
        self.do(self._roll_back())

    async def _roll_back(self) -> None:
        expected = self.trial.expected
        if target := expected.before[expected.live["production"]]:
            assert (await self.trial.roll_back()).version == target
        else:
            with pytest.raises(errors.Refused, match="the first release"):
                await self.trial.roll_back()

    @stateful.rule(choice=CHOICES)
    def roll_back_to(self, choice: int) -> None:
        self.do(self._roll_back_to(choice))

    async def _roll_back_to(self, choice: int) -> None:
        expected = self.trial.expected
        version = sorted(expected.before)[choice % len(expected.before)]
        if version != expected.live["production"]:
            await self.trial.roll_back(to=version)
        else:
            with pytest.raises(errors.Refused, match="is live already"):
                await self.trial.roll_back(to=version)

    @stateful.rule(points=strategies.integers(min_value=1, max_value=80))
    def have_the_worker_die(self, points: int) -> None:
        """Not at once: at one of the points that whatever comes next goes through."""
        self.kill_in = points

    # --- what must always be so -------------------------------------------------------------------

    @stateful.invariant()
    def users_get_what_the_model_says(self) -> None:
        self.do(self.trial.must_be_as_expected())

    def teardown(self) -> None:
        self.do(self._count())

    async def _count(self) -> None:
        twice = await self.trial.double_effects()
        tally.kills("histories", self.kills, twice)
        self.kills.clear()
        assert twice == []


@pytest.mark.timeout(3600 if LONG else 600)
async def test_after_any_history_production_serves_what_it_should(trial: Trial) -> None:
    Histories.trial, Histories.loop = trial, asyncio.get_running_loop()
    Histories.kills, Histories.failure = Counter(), None
    settings = hypothesis.settings(
        max_examples=4 if LONG else 2,  # the first one is always short
        stateful_step_count=40 if LONG else 10,
        deadline=None,
        # A platform that went on cannot go back: what fails is told as it happened.
        phases=[hypothesis.Phase.generate],
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        await asyncio.to_thread(stateful.run_state_machine_as_test, Histories, settings=settings)
    except hypothesis.errors.Flaky as error:
        raise Histories.first_failure() or error from error
    finally:
        trial.on_point = None
