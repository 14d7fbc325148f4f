from __future__ import annotations

import datetime
import io

from rich.console import Console

from shipway.cli import follow
from shipway.client import wire

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def step(name: str, state: str, **changes: object) -> wire.Event:
    given = {
        "name": name,
        "state": state,
        "cached": False,
        "started": None if state == "waiting" else NOW,
        "ended": None if state in {"waiting", "running"} else NOW + datetime.timedelta(seconds=2),
        "sentence": "",
    }
    return wire.Event(kind="step", step=wire.Step.model_validate(given | changes))


def drawn(picture: follow.Picture) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(picture.render())
    return console.export_text()


def test_a_picture_has_one_line_for_each_step_whatever_happened_to_it() -> None:
    picture = follow.Picture()
    for event in (
        step("test api", "waiting"),
        step("server", "running"),
        step("test api", "running"),
        step("test api", "succeeded"),
        step("server", "succeeded", cached=True),
    ):
        picture.heard(event)
    lines = [line.split() for line in drawn(picture).splitlines()]
    assert lines[:2] == [["✓", "test", "api", "2.0", "s"], ["✓", "server", "2.0", "s", "cached"]]


def test_a_line_is_told_once() -> None:
    picture = follow.Picture()
    told = [picture.heard(step("test api", "running")) for _ in range(2)]
    assert told == ["test api: running", ""]


def test_what_waits_is_not_told() -> None:
    assert follow.Picture().heard(step("test api", "waiting")) == ""


def test_a_failure_says_why() -> None:
    failed = step("test api", "failed", sentence="1 of 7 tests failed.")
    assert follow.Picture().heard(failed) == "test api: failed in 2.0 s. 1 of 7 tests failed."


def test_before_anything_is_heard_there_is_something_to_see() -> None:
    assert "Connecting" in drawn(follow.Picture())
