from __future__ import annotations

import time

import pytest

from shipway.kit import ids


def test_what_is_made_later_sorts_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(ids, "_latest", [0])
    made = []
    for moment in (now, now + 5_000_000, now + 3_600_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
        made.append(ids.new("run"))
    assert made == sorted(made)


def test_a_clock_that_goes_back_does_not_make_new_things_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time_ns()
    monkeypatch.setattr(ids, "_latest", [0])
    monkeypatch.setattr(time, "time_ns", lambda: now)
    before = ids.new("run")
    monkeypatch.setattr(time, "time_ns", lambda: now - 86_400_000_000_000)
    assert ids.new("run")[: len("run_") + 9] == before[: len("run_") + 9]
