from __future__ import annotations

import datetime

from shipway.api.progress import TAIL, Progress
from shipway.client import wire

AT = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


def step(state: str, seconds: float = 0, *, cached: bool = False) -> wire.Event:
    ended = AT + datetime.timedelta(seconds=seconds) if seconds else None
    found = wire.Step(name="test", state=state, cached=cached, started=AT, ended=ended, sentence="")
    return wire.Event(kind="step", step=found)


def run(state: str, sentence: str = "") -> wire.Event:
    found = wire.Run(
        id="run_1",
        app="tiny",
        branch="main",
        commit="1" * 40,
        kind="full",
        state=state,
        pushed_by="ana",
        started=AT,
        ended=None,
        sentence=sentence,
    )
    return wire.Event(kind="run", run=found)


def told(*events: wire.Event) -> list[str]:
    progress = Progress()
    return [line for event in events for line in progress.lines(event)]


def test_a_step_that_succeeds() -> None:
    assert told(step("waiting"), step("running"), step("running"), step("succeeded", 12)) == [
        "  test ...",
        "  test: done in 12.0 s",
    ]


def test_a_step_that_was_there_already() -> None:
    assert told(step("succeeded", 1, cached=True)) == ["  test: unchanged"]


def test_a_failing_step_shows_its_last_lines() -> None:
    lines = [
        wire.Event(kind="log", name="test", line=f"2026-11-01T12:00:00.000Z line {number}")
        for number in range(TAIL + 5)
    ]
    shown = told(step("running"), *lines, step("failed", 75))
    assert shown[1] == "  test: failed in 1 min 15 s"
    assert shown[2:] == [f"    | line {number}" for number in range(5, TAIL + 5)]


def test_the_end_is_the_sentence() -> None:
    assert told(run("running"), run("succeeded", "v1 is ready.")) == ["", "v1 is ready."]
    assert told(run("failed", "test failed.")) == [
        "",
        "test failed.",
        "Every line: shipway logs run_1",
    ]
    assert told(run("cancelled")) == ["", "The run cancelled."]
