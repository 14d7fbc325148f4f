"""The stories, told with steps that only take notes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from shipway.builds.model import BuildStep, StepKind
from shipway.kit import durable, errors
from shipway.workflows.deliver import deliver, side_by_side
from shipway.workflows.delivering import Delivering, Work
from shipway.workflows.deploy import deploy
from shipway.workflows.deploying import Deploying, Stage, Way
from shipway.workflows.outcome import Outcome
from shipway.workflows.promote import promote
from shipway.workflows.promoting import Count, Promoting, Promotion
from shipway.workflows.roll_back import roll_back
from shipway.workflows.updating import Updating, carry_out

pytestmark = pytest.mark.anyio

GOOD = Outcome(good=True, sentence="production serves v2 instead of v1.")
STAGING = durable.Start(workflow="deploy", id="dep_1", request={}, queue="environments")
PROMOTION = Promotion(app="tiny", release="rel_1", environment="production")


class Steps:
    """Takes note of each step, and answers what it was told to."""

    def __init__(self, **answers: Any) -> None:
        self.taken: list[str] = []
        self._answers = answers

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def step(*arguments: Any) -> Any:
            first = arguments[0] if arguments else ""
            which = getattr(first, "name", "")
            self.taken.append(f"{name} {which}".strip())
            answer = self._answers.get(f"{name} {which}".strip(), self._answers.get(name))
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return step


def stages(*shares: int) -> tuple[Stage, ...]:
    return tuple(Stage(name=str(i), index=i, per_mille=share) for i, share in enumerate(shares))


async def test_a_deployment_takes_its_steps_in_order() -> None:
    do = Steps(admit=Way(deployment="dep_1", stages=stages(100, 1000)), settle=GOOD)

    assert await deploy("dep_1", cast("Deploying", do)) == GOOD
    assert do.taken == [
        "admit",
        "unpack",
        "rehearse",
        "migrate",
        "start",
        "wait_until_ready",
        "join_traffic",
        "publish_update",
        "shift 0",
        "shift 1",
        "verify",
        "prove",
        "settle",
    ]


@pytest.mark.parametrize(
    "step",
    [
        "unpack",
        "rehearse",
        "migrate",
        "start",
        "wait_until_ready",
        "join_traffic",
        "verify",
        "prove",
    ],
)
async def test_whatever_fails_the_deployment_is_withdrawn_with_the_reason(step: str) -> None:
    withdrawn = Outcome(good=False, sentence="production keeps v1.")
    do = Steps(
        admit=Way(deployment="dep_1", stages=stages(1000)),
        withdraw=withdrawn,
        **{step: errors.Failed("It broke.")},
    )

    assert await deploy("dep_1", cast("Deploying", do)) == withdrawn
    assert do.taken[-2:] == [step, "withdraw"]


async def test_a_deployment_is_withdrawn_however_long_the_edge_does_not_answer() -> None:
    withdrawn = Outcome(good=False, sentence="production keeps v1.")
    answers = [errors.Unavailable("The edge does not answer."), withdrawn]
    do = Steps(admit=errors.Refused("No."), withdraw=answers)

    assert await deploy("dep_1", cast("Deploying", do)) == withdrawn
    assert do.taken == ["admit", "withdraw", "withdraw"]


async def test_a_deployment_is_withdrawn_although_somebody_interrupts_that() -> None:
    withdrawn = Outcome(good=False, sentence="production keeps v1.")
    answers = [durable.Interrupted("ada took it back."), withdrawn]
    do = Steps(admit=errors.Failed("It broke."), withdraw=answers)

    assert await deploy("dep_1", cast("Deploying", do)) == withdrawn
    assert do.taken == ["admit", "withdraw", "withdraw"]


async def test_a_deployment_that_cannot_be_taken_back_still_has_an_end() -> None:
    ended = Outcome(good=False, sentence="v2 was neither deployed nor taken back.")
    do = Steps(admit=errors.Refused("No."), withdraw=errors.Invalid("Unreadable."), give_up=ended)

    assert await deploy("dep_1", cast("Deploying", do)) == ended
    assert do.taken == ["admit", "withdraw", "give_up"]


async def test_a_warm_release_comes_back_without_starting_anything() -> None:
    do = Steps(choose_target=Way(deployment="d", stages=stages(1000), warm=True), settle=GOOD)

    await roll_back("d", cast("Deploying", do))

    assert do.taken == [
        "choose_target",
        "shift 0",
        "verify",
        "take_back_update",
        "settle",
    ]


async def test_a_cold_release_starts_again_before_the_traffic_turns() -> None:
    do = Steps(choose_target=Way(deployment="d", stages=stages(1000)), settle=GOOD)

    await roll_back("d", cast("Deploying", do))

    assert do.taken[:6] == [
        "choose_target",
        "unpack",
        "start",
        "wait_until_ready",
        "join_traffic",
        "shift 0",
    ]
    assert "migrate" not in do.taken


def step(name: str) -> BuildStep:
    return BuildStep(name=name, kind=StepKind.TEST)


async def test_a_branch_gets_its_fast_tests_and_no_release() -> None:
    do = Steps(
        check_out=Work(
            run="run_1",
            commit="c",
            delivers=False,
            layers=((step("install"),), (step("a"), step("b"))),
        )
    )

    await deliver("run_1", cast("Delivering", do))

    assert do.taken == ["check_out", "perform install", "perform a", "perform b", "succeed"]


async def test_a_push_to_main_goes_through_staging_to_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []

    async def child(start: durable.Start) -> dict[str, Any]:
        started.append(start.workflow)
        return {"good": True, "sentence": "staging serves v1."}

    async def follow_up(start: durable.Start) -> None:
        started.append(start.workflow)

    monkeypatch.setattr(durable, "child", child)
    monkeypatch.setattr(durable, "follow_up", follow_up)
    waiting = durable.Start(workflow="promote", id="p", request={}, queue="promotions")
    do = Steps(
        check_out=Work(run="run_1", commit="c", delivers=True, layers=((step("a"),),)),
        ask_for_staging=STAGING,
        ask_for_promotion=waiting,
    )

    await deliver("run_1", cast("Delivering", do))

    assert started == ["deploy", "promote"]
    assert do.taken == [
        "check_out",
        "perform a",
        "release",
        "rehearse",
        "ask_for_staging",
        "confirm",
        "declare_ready",
        "ask_for_promotion",
        "succeed",
    ]


async def test_a_failing_test_ends_the_run_and_makes_no_release() -> None:
    work = Work(run="run_1", commit="c", delivers=True, layers=((step("a"), step("b")),))
    do = Steps(**{"check_out": work, "perform a": errors.Failed("a failed.")})

    await deliver("run_1", cast("Delivering", do))

    assert "release" not in do.taken
    assert do.taken[-1] == "fail"


async def test_a_cancelled_run_says_so() -> None:
    do = Steps(check_out=durable.Interrupted("Cancelled by ada."))

    await deliver("run_1", cast("Delivering", do))

    assert do.taken == ["check_out", "cancel"]


async def test_a_release_waits_until_the_approvals_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def receive(topic: str, *, timeout: float) -> dict[str, Any]:
        waits.append(timeout)
        return {"person": "ada"}

    async def child(start: durable.Start) -> dict[str, Any]:
        return {"good": True, "sentence": GOOD.sentence}

    monkeypatch.setattr(durable, "receive", receive)
    monkeypatch.setattr(durable, "child", child)
    counts = [Count(enough=False, sentence="0 of 1", patience=60.0)]
    counts.append(Count(enough=True, sentence="1 of 1", patience=60.0))
    do = Steps(count_approvals=counts, merge=True)

    assert await promote(PROMOTION, cast("Promoting", do)) == GOOD
    assert waits == [60.0]
    approved = ["merge", "tag", "ask_for_deployment"]
    assert do.taken == ["count_approvals", "count_approvals", *approved]


async def test_a_hotfix_is_tested_anew_where_main_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []

    async def follow_up(start: durable.Start) -> None:
        started.append(start.id)

    monkeypatch.setattr(durable, "follow_up", follow_up)
    again = durable.Start(workflow="deliver", id="run_2", request={}, queue="runs")
    ended = Outcome(good=False, sentence="v1 was not promoted to production.")
    enough = Count(enough=True, sentence="1 of 1", patience=60.0)
    do = Steps(count_approvals=enough, merge=False, start_over=again, fail=ended)

    assert await promote(PROMOTION, cast("Promoting", do)) == ended
    assert started == ["run_2"]
    assert do.taken == ["count_approvals", "merge", "start_over", "fail"]


async def test_silence_is_never_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive(topic: str, *, timeout: float) -> None:
        return None

    monkeypatch.setattr(durable, "receive", receive)
    count = Count(enough=False, sentence="0 of 1", patience=60.0)
    expired = Outcome(good=False, sentence="v1 waited 30 days.")
    do = Steps(count_approvals=count, has_expired=[False, True], expire=expired)

    assert await promote(PROMOTION, cast("Promoting", do)) == expired
    assert "tag" not in do.taken


async def test_a_resumed_run_tells_the_failure_that_ended_the_other_steps() -> None:
    """The step that was ended is on record already; the one that failed is found to fail again."""

    async def ended() -> None:
        raise durable.Interrupted("The run was cancelled.")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise errors.Failed("test unit failed.")

    with pytest.raises(errors.Failed, match="test unit failed"):
        await side_by_side("run_1", [ended(), fails()])


async def test_what_breaks_while_an_update_is_changed_is_told_to_who_asked() -> None:
    why = "perform could not write (/files): the disk is full."
    do = Steps(perform=errors.Failed(why), fail=Outcome(good=False, sentence=why))

    assert await carry_out("uch_1", cast("Updating", do)) == Outcome(good=False, sentence=why)
    assert do.taken == ["perform", "fail"]
