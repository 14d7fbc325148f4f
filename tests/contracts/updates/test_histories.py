"""Random histories: publishing, rollouts, rollbacks, crashes, bad networks and clocks; and at the
end of each every phone runs what it should.

`./dev test` tells a few short ones. `./dev soak` sets ``SHIPWAY_HISTORIES``, which tells how many
long ones there are to be.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import random
import shutil
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import hypothesis
import pytest
from hypothesis import stateful, strategies
from tests.chaos import tally
from tests.contracts.updates import phones
from tests.contracts.updates.phones import Phone
from tests.contracts.updates.world import MAIN, PLATFORMS, App, World, sharing_keys
from tests.fakes import updates

from shipway.kit import db, errors
from shipway.updates.records import Group, Offer, Records

T = TypeVar("T")

MANY = int(os.environ.get("SHIPWAY_HISTORIES") or 0)
BETA = "beta"
SHARES = (0, 100, 500, 900, 1000)


class Killed(BaseException):
    """The publishing process comes to its end here."""


class Histories(stateful.RuleBasedStateMachine):
    """One app with a handful of phones."""

    world: ClassVar[World]
    runner: ClassVar[asyncio.Runner]
    told: ClassVar[int]
    steps: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.app: App = self.world.app()
        self.phones: list[Phone] = []
        self.paused = False
        self.rotated = False
        self.branch = MAIN
        self.texts = 0

    def run(self, made: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(made)

    @stateful.initialize(platforms=strategies.lists(
        strategies.sampled_from(PLATFORMS), min_size=2, max_size=4))  # fmt: skip
    def begin(self, platforms: list[Any]) -> None:
        for number, platform in enumerate(platforms):
            # The same installations in every run: rollouts reach the same ones.
            self.phones.append(Phone(self.app, platform, client=f"{number + 1:032x}"))
        self.run(self._begin())

    async def _begin(self) -> None:
        await self.app.open_channel()
        trust = await self.app.trust()
        for phone in self.phones:
            phone.set_up(trust)

    # --- what people do ---------------------------------------------------------------------------

    @stateful.rule(
        platforms=strategies.sampled_from([PLATFORMS, PLATFORMS[:1], PLATFORMS[1:]]),
        share=strategies.sampled_from(SHARES),
        crashes=strategies.booleans(),
        branch=strategies.sampled_from([MAIN, MAIN, MAIN, BETA]),
    )
    def publish(
        self, platforms: tuple[Any, ...], share: int, branch: str, *, crashes: bool
    ) -> None:
        self.run(self._publish(platforms, share, branch, crashes=crashes))

    async def _publish(
        self, platforms: tuple[Any, ...], share: int, branch: str, *, crashes: bool
    ) -> Group:
        self.texts += 1
        code = phones.code(self.texts, crashes=crashes)
        return await self.app.publish(
            code=code, assets={}, platforms=platforms, per_mille=share, branch=branch
        )

    @stateful.rule(step=strategies.sampled_from(["add", "latest_created", "channel"]))
    def publish_and_be_killed(self, step: str) -> None:
        before = self.run(self._offered())

        async def killed(*_: Any, **__: Any) -> Any:
            raise Killed

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Records, step, killed)
            with contextlib.suppress(Killed):
                self.run(self._publish(PLATFORMS, 1000, self.branch, crashes=False))
        assert self.run(self._offered()) == before, "nothing of it is to be seen"

    @stateful.rule(share=strategies.sampled_from(SHARES))
    def raise_the_share(self, share: int) -> None:
        for group in self.run(self._groups("rolling"))[:1]:
            if share >= group.per_mille:
                self.run(self.app.share(group, share))

    @stateful.rule()
    def pause_the_rollout(self) -> None:
        for group in self.run(self._groups("rolling"))[:1]:
            self.run(self.app.shown(self.world.changes.pause(group.id)))

    @stateful.rule()
    def resume_the_rollout(self) -> None:
        for group in self.run(self._groups("paused"))[:1]:
            self.run(self.app.shown(self.world.changes.resume(group.id)))

    @stateful.rule(to=strategies.sampled_from(["", "", "embedded", "the first"]))
    def roll_back(self, to: str) -> None:
        self.run(self._roll_back(to))

    async def _roll_back(self, to: str) -> None:
        if to == "the first":
            groups = await self.world.records.groups(self.app.name, self.branch)
            to = groups[-1].id if groups and groups[-1].kind == "publish" else ""
        with contextlib.suppress(errors.Refused):  # there is nothing to take back
            await self.app.roll_back(to, self.branch)

    @stateful.rule()
    def pause_or_resume_the_channel(self) -> None:
        if self.run(self._groups()):
            self.paused = not self.paused
            self.run(self.app.change_channel(MAIN, paused=self.paused))

    @stateful.rule()
    def point_the_channel_elsewhere(self) -> None:
        other = BETA if self.branch == MAIN else MAIN
        if any(group.branch == other for group in self.run(self._groups())):
            self.branch = other
            self.run(self.app.change_channel(MAIN, branch=other))

    @stateful.precondition(lambda self: not self.rotated)
    @stateful.rule()
    def rotate_the_key(self) -> None:
        self.rotated = True
        self.run(self.app.shown(self.world.changes.rotate_key(self.app.name)))

    @stateful.rule(seconds=strategies.sampled_from([-3600, -1, 1, 3600]))
    def move_the_clock(self, seconds: int) -> None:
        self.world.move(seconds)

    @stateful.rule()
    def make_patches(self) -> None:
        self.run(self.app.make_patches())

    # --- what phones do ---------------------------------------------------------------------------

    @stateful.rule(number=strategies.integers(0, 3), start=strategies.booleans())
    def poll(self, number: int, *, start: bool) -> None:
        self.run(self._poll(self.phones[number % len(self.phones)], start=start))

    async def _poll(self, phone: Phone, *, start: bool) -> None:
        lines = await self._lines(phone)
        await phone.poll(lines, channel_paused=self.paused)
        if start:
            await phone.start()

    @stateful.rule(number=strategies.integers(0, 3), after=strategies.integers(0, 2))
    def poll_while_the_network_breaks(self, number: int, after: int) -> None:
        phone = self.phones[number % len(self.phones)]
        phone.fails_after = after
        self.run(phone.device.check())
        phone.fails_after = None

    # --- what must hold ---------------------------------------------------------------------------

    @stateful.invariant()
    def every_step_is_counted(self) -> None:
        type(self).steps += 1

    @stateful.invariant()
    def times_only_go_on(self) -> None:
        for platform in PLATFORMS:
            times = [o.created for _, o in self.run(self._history()) if o.platform == platform]
            assert times == sorted(set(times))

    def teardown(self) -> None:
        """Finish every rollout, bring all phones online: each runs what it should."""
        if self.phones:
            self.run(self._settle())
            type(self).told += 1

    async def _settle(self) -> None:
        if self.paused:
            await self.app.change_channel(MAIN, paused=False)
        for group in await self._groups("paused"):
            await self.app.shown(self.world.changes.resume(group.id))
        for group in await self._groups("rolling"):
            await self.app.share(group, 1000)
        for phone in self.phones:
            lines = await self._lines(phone)
            # Once to load, once more for a rollback that found an update waiting to be started,
            # and as often as there are updates that crash.
            for _ in range(3 + len(lines)):
                await phone.poll(lines, channel_paused=False)
                await phone.start()
            phone.must_run_the_right_one(lines)

    async def _groups(self, state: str = "") -> list[Group]:
        groups = await self.world.records.groups(self.app.name)
        return [group for group in groups if not state or group.state == state]

    async def _history(self) -> list[tuple[Group, Offer]]:
        """Return everything that was ever offered, oldest first."""
        groups = sorted(await self._groups(), key=lambda group: group.number)
        records = self.world.records
        return [(group, offer) for group in groups for offer in await records.offers(group.id)]

    async def _lines(self, phone: Phone) -> list[tuple[Group, Offer]]:
        """Return what the channel's branch offered to a phone's platform, newest first."""
        line = self.branch, phone.device.build.platform
        history = reversed(await self._history())
        return [pair for pair in history if (pair[1].branch, pair[1].platform) == line]

    async def _offered(self) -> Mapping[str, bytes]:
        return {
            platform: (await self.app.ask(expo_platform=platform, accept="*/*")).body
            for platform in PLATFORMS
        }


@pytest.fixture
def histories(cluster: Any) -> Iterator[type[Histories]]:
    """The machine on a world of its own, whose event loop rests between the steps."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-histories-", dir="/var/tmp"))
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        name = runner.run(cluster.make(template="template_shipway"))
        stack.callback(lambda: runner.run(cluster.drop(name)))
        database = db.Database(cluster.url(name), name="test")
        stack.enter_context(sharing_keys())
        runner.run(database.open())
        stack.callback(lambda: runner.run(database.close()))
        serving = updates.served(database, home)
        Histories.world = World(runner.run(serving.__aenter__()))
        stack.callback(lambda: runner.run(serving.__aexit__(None, None, None)))
        Histories.runner = runner
        Histories.told = Histories.steps = 0
        yield Histories


@pytest.mark.timeout(7200 if MANY else 300)
def test_after_any_history_every_phone_runs_what_it_should(histories: type[Histories]) -> None:
    settings = hypothesis.settings(
        max_examples=MANY or 6,
        stateful_step_count=40 if MANY else 14,
        deadline=None,
        # The same few at every run; what is new is found, and made small, in the long one.
        derandomize=not MANY,
        phases=list(hypothesis.Phase) if MANY else [hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    random.seed(0)
    stateful.run_state_machine_as_test(histories, settings=settings)
    tally.tell(f"{histories.told} histories of updates, {histories.steps} steps in all")
