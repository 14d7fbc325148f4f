"""What housekeeping removes, and what never."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.builds import keeping
from shipway.builds.keeping import Found, Made, Policy

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
POLICY = Policy(
    releases=2,
    artifacts=datetime.timedelta(days=30),
    logs=datetime.timedelta(days=90),
    log_bytes=1000,
    caches=datetime.timedelta(days=30),
    cache_bytes=1000,
)


def ago(days: float) -> datetime.datetime:
    return NOW - datetime.timedelta(days=days)


def found(path: str, days: float, size: int = 100) -> Found:
    return Found(path=path, size=size, changed=ago(days))


def gone(removals: object) -> list[str]:
    return [one.what for one in removals]  # type: ignore[attr-defined]


def test_an_old_artifact_that_no_kept_run_made_goes() -> None:
    made = [
        Made(digest="old", size=5, runs=("run_a",), made=ago(31)),
        Made(digest="young", size=5, runs=("run_a",), made=ago(29)),
        Made(digest="released", size=5, runs=("run_a", "run_live"), made=ago(400)),
        Made(digest="served", size=5, runs=("run_a",), made=ago(400)),
    ]
    removals = list(
        keeping.artifacts(made, kept_runs={"run_live"}, kept={"served"}, policy=POLICY, now=NOW)
    )
    assert gone(removals) == ["old"]
    assert str(removals[0]) == (
        "artifact old (5 bytes): no release that is kept has it, and it is 31 days old"
    )


@given(st.integers(0, 4000), st.sampled_from(["run", "digest"]))
def test_what_is_kept_stays_whatever_its_age(days: int, by: str) -> None:
    made = [Made(digest="d", size=1, runs=("r",), made=ago(days))]
    runs, digests = ({"r"}, set[str]()) if by == "run" else (set[str](), {"d"})
    assert not list(keeping.artifacts(made, kept_runs=runs, kept=digests, policy=POLICY, now=NOW))


def test_logs_go_by_age_and_then_the_oldest_by_size() -> None:
    seen = [
        found("run_ancient", 91),
        found("run_old", 80, 600),
        found("run_new", 10, 600),
        found("run_live", 900, 5000),
        found("run_now", 0, 5000),
    ]
    removals = keeping.logs(seen, kept_runs={"run_live"}, policy=POLICY, now=NOW)
    assert gone(removals) == ["run_ancient", "run_old"]


def test_caches_go_when_left_alone_or_too_large() -> None:
    seen = [found("caches/main/a", 31), found("caches/main/b", 9, 700), found("c", 1, 700)]
    removals = list(keeping.caches("tiny", seen, policy=POLICY, now=NOW))
    assert gone(removals) == ["caches/main/a", "caches/main/b"]
    assert "caches of an app are to take 1000 bytes at most" in str(removals[1])


def test_leftovers_are_what_no_run_and_no_result_knows() -> None:
    seen = [
        found("runs/run_dead", 2),
        found("runs/run_alive", 2),
        found("runs/run_just_ended", 0.5),
        found("installs/stray", 2),
        found("installs/used", 200),
        found("installs/unused", 200),
    ]
    removals = keeping.leftovers(
        "tiny",
        seen,
        active_runs={"run_alive"},
        installs={"installs/used": ago(3), "installs/unused": ago(31)},
        policy=POLICY,
        now=NOW,
    )
    assert gone(removals) == ["runs/run_dead", "installs/stray", "installs/unused"]


@pytest.mark.parametrize(
    ("days", "leapt"), [(1, False), (2.9, False), (-1, False), (4, True), (-4, True), (9000, True)]
)
def test_a_clock_that_leapt_is_told(days: float, leapt: bool) -> None:  # noqa: FBT001 -- a case's outcome
    said = keeping.leapt(ago(days), NOW)
    assert bool(said) is leapt
    if leapt:
        assert "nothing goes this time" in said


def test_the_first_time_knows_no_other() -> None:
    assert keeping.leapt(None, NOW) == ""


def test_it_is_summed_up() -> None:
    log = keeping.Removal(kind="log", what="run_a", size=1024, why="old")
    cache = keeping.Removal(kind="cache", what="x", size=1024, why="old", app="tiny")
    assert keeping.summed_up([log, log, cache], dry_run=False) == "3.0 KiB went: 1 cache, 2 logs."
    assert keeping.summed_up([cache], dry_run=True) == "1.0 KiB would go: 1 cache."
    assert keeping.summed_up([], dry_run=False) == "Nothing had to go."
    assert str(cache) == "cache x of tiny (1.0 KiB): old"


def test_what_du_says_is_read_and_complaints_are_not() -> None:
    said = ["du: cannot access 'runs': No such file or directory", "42\t1700000000\tinstalls/a b"]
    (one,) = keeping.found_by_du([*said, "x\ty\tz", "1\t2\t\x1b[0m"])
    assert (one.path, one.size, one.changed.year) == ("installs/a b", 42, 2023)
