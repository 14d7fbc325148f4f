"""The last lines of `./dev soak`."""

from __future__ import annotations

import pathlib

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
        "soak: 2 round(s) in 1.5 minutes, none failed: 9 kills, 0 double effects",
    ]


def test_a_failure_and_what_happened_twice_are_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tally"
    monkeypatch.setenv("SHIPWAY_TALLY", str(file))
    tally.add(test="parts", kills={"the process of api": 1}, double_effects=["tag v2"])
    tally.add(failed="tests/chaos/test_part_kills.py::test_a (call)")

    found = soak.summed(tally.read(file), rounds=1, seconds=60)

    assert soak.sentences(found) == [
        "soak: tests/chaos/test_part_kills.py::test_a (call) failed",
        "soak: it happened twice: tag v2",
        "soak: 1 round(s) in 1 minutes, 1 failure(s): 1 kills, 1 double effects",
    ]


def test_without_a_soak_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIPWAY_TALLY", raising=False)

    tally.add(test="worker", kills={}, double_effects=[])
