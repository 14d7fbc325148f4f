from __future__ import annotations

import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.kit import errors
from shipway.releases import model
from shipway.releases.model import Deployment, Release

EARLY = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


def release(number: int = 2) -> Release:
    return Release(
        id=f"rel_{number}",
        app="tiny",
        number=number,
        version=f"v{number}",
        commit=f"{number:040x}",
        run=f"run_{number}",
        schema_head="",
        artifacts={},
        product="",
        changelog="",
        authors=(),
        state="ready",
        created=EARLY,
    )


def deployment(number: int, *, before: str | None = None, release: int | None = None) -> Deployment:
    of = release or number
    return Deployment(
        id=f"dep_{number}",
        app="tiny",
        environment="production",
        release=f"rel_{of}",
        version=f"v{of}",
        kind="deploy",
        state="live",
        asked_by="ada",
        reason="",
        served_by=f"dep_{number}",
        before=before,
        plan=(1000,),
        stage=0,
        started=EARLY,
        ended=None,
        warm_until=None,
        sentence="",
    )


def test_a_rollback_goes_to_the_release_before() -> None:
    first, second = deployment(1), deployment(2, before="dep_1")

    assert model.rollback_target(second, [second, first]) == first


def test_a_second_rollback_goes_further_back_and_never_to_what_was_taken_back() -> None:
    first, second, third = (
        deployment(1),
        deployment(2, before="dep_1"),
        deployment(3, before="dep_2"),
    )
    # v3 was taken back: v2 is live again, with what was before v2 before it.
    back = deployment(4, before="dep_1", release=2)

    assert model.rollback_target(back, [back, third, second, first]) == first


def test_the_first_release_cannot_be_taken_back() -> None:
    with pytest.raises(errors.Refused, match=r"v1 in production is the first release"):
        model.rollback_target(deployment(1), [deployment(1)])


def test_nothing_live_cannot_be_taken_back() -> None:
    with pytest.raises(errors.Refused, match="Nothing is live here"):
        model.rollback_target(None, [])


def test_a_rollback_may_name_a_version() -> None:
    first, second, third = (
        deployment(1),
        deployment(2, before="dep_1"),
        deployment(3, before="dep_2"),
    )

    assert model.rollback_target(third, [third, second, first], to="v1") == first


def test_a_version_that_was_never_live_is_refused_with_those_that_were() -> None:
    first, second = deployment(1), deployment(2, before="dep_1")

    with pytest.raises(
        errors.Refused, match=r"v9 was never live in production. These were: v2, v1."
    ):
        model.rollback_target(second, [second, first], to="v9")


def test_the_live_version_cannot_be_gone_back_to() -> None:
    with pytest.raises(errors.Refused, match=r"v1 in production is live already"):
        model.rollback_target(deployment(1), [deployment(1)], to="v1")


def test_a_release_that_lacks_the_live_commit_is_refused() -> None:
    with pytest.raises(errors.Refused, match=r"v2 lacks the commit of v1, which is live"):
        model.may_follow(release(2), release(1), contains_live=False)


def test_a_release_on_top_of_the_live_one_may_follow() -> None:
    model.may_follow(release(2), release(1), contains_live=True)
    model.may_follow(release(1), None, contains_live=False)


@given(st.lists(st.integers(1, 1000), max_size=8), st.integers(0, 10))
def test_the_stages_to_come_are_those_not_yet_done(plan: list[int], done: int) -> None:
    to_come = list(model.stages(plan, done=done))

    assert [per_mille for _, per_mille in to_come] == plan[done:]
    assert [index for index, _ in to_come] == list(range(min(done, len(plan)), len(plan)))


@given(st.integers(min_value=1, max_value=30), st.data())
def test_taking_back_again_and_again_ends_at_the_first_release(
    count: int, data: st.DataObject
) -> None:
    """Every rollback goes strictly back, whatever was deployed in between."""
    history = [deployment(1)]
    for number in range(2, count + 1):
        history.insert(0, deployment(number, before=history[0].id))
    live, seen = history[0], []
    while live.before is not None:
        target = model.rollback_target(live, history)
        seen.append(int(target.release.removeprefix("rel_")))
        live = dataclasses.replace(target, id=f"dep_back_{len(seen)}")
        history.insert(0, live)

    assert seen == list(range(count - 1, 0, -1))


def test_a_changelog_lists_the_subjects() -> None:
    assert model.changelog(["Fix the sign-in", "Add notes"]) == "- Fix the sign-in\n- Add notes"
    assert "No commit" in model.changelog([])
