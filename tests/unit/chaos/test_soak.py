"""The last line of `./dev soak`, and those before it."""

from __future__ import annotations

import pathlib
from collections import Counter

import pytest
from tests.chaos import soak, tally


def test_kills_of_all_processes_and_rounds_are_added_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tally"
    monkeypatch.setenv("SHIPWAY_TALLY", str(file))
    tally.add(test="worker", kills={"deliver.release": 4}, double_effects=[])
    tally.add(test="worker", kills={"deliver.release": 4, "enter.shift": 1}, double_effects=[])

    for _ in range(2):
        tally.tell("100 histories of 4000 steps")

    found = soak.summed(tally.read(file), rounds=2, seconds=90)

    assert soak.sentences(found) == [
        "soak: 100 histories of 4000 steps",
        "soak: 2 round(s) in 1.5 minutes: 9 kills of 1 parts, 0 double effects, 0 lost requests: ok",
    ]


def test_a_failure_and_what_happened_twice_are_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tally"
    monkeypatch.setenv("SHIPWAY_TALLY", str(file))
    tally.kills(tally.PARTS, Counter({"the process of api": 1}), ["tag v2"], lost_requests=3)
    tally.add(failed="tests/chaos/test_part_kills.py::test_a (call)")

    found = soak.summed(tally.read(file), rounds=1, seconds=60)

    assert soak.sentences(found) == [
        "soak: tests/chaos/test_part_kills.py::test_a (call) failed",
        "soak: it happened twice: tag v2",
        "soak: 1 round(s) in 1 minutes: 1 kills of 1 parts, 1 double effects, 3 lost requests: not ok",
    ]
    assert not soak.is_well(found)


def test_what_came_too_late_is_named_and_fails_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tally"
    monkeypatch.setenv("SHIPWAY_TALLY", str(file))
    tally.add(left_out="tests/soak/test_a.py::test_b")

    found = soak.summed(tally.read(file), rounds=1, seconds=60)

    told, end = soak.sentences(found)
    assert told == "soak: tests/soak/test_a.py::test_b was left out: the time was up"
    assert end.endswith(" 0 lost requests, 1 test(s) left out: ok")


def test_without_a_soak_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIPWAY_TALLY", raising=False)

    tally.add(test="worker", kills={}, double_effects=[])
