from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.database.backups import wal
from shipway.database.backups.wal import Lineage, Segment

NUMBERS = st.integers(min_value=0, max_value=2**40 - 2)


@given(number=NUMBERS, timeline=st.integers(min_value=1, max_value=2**32 - 1))
def test_a_segment_is_known_by_its_name(number: int, timeline: int) -> None:
    segment = Segment(number, timeline)
    assert Segment.named(str(segment)) == segment


@given(number=NUMBERS)
def test_names_sort_as_the_log_goes(number: int) -> None:
    assert str(Segment(number, 1)) < str(Segment(number + 1, 1))


def test_the_last_of_a_file_is_followed_by_the_first_of_the_next() -> None:
    assert str(Segment.named("0000000100000000000000FF")) == "0000000100000000000000FF"
    following = Segment(Segment.named("0000000100000000000000FF").number + 1, 1)
    assert str(following) == "000000010000000100000000"


@pytest.mark.parametrize(
    "name",
    ["", "00000002.history", "000000010000000000000001.partial", "00000001000000000000000g"],
)
def test_other_files_are_no_segments(name: str) -> None:
    with pytest.raises(ValueError, match="no segment"):
        Segment.named(name)


def test_a_history_says_where_each_timeline_was_left() -> None:
    lineage = Lineage.told(3, "1\t0/3000060\tno recovery target\n\n2\t0/5000000\tbefore 2026\n")
    assert lineage == Lineage(3, ((1, 3), (2, 5)))
    assert [str(lineage.segment(number)) for number in (2, 3, 4, 5)] == [
        "000000010000000000000002",
        "000000020000000000000003",
        "000000020000000000000004",
        "000000030000000000000005",
    ]


def test_a_branch_that_was_left_does_not_belong() -> None:
    lineage = Lineage(2, ((1, 5),))
    assert lineage.has(Segment(4, 1))
    assert lineage.has(Segment(5, 1))  # where it was left
    assert not lineage.has(Segment(6, 1))
    assert lineage.has(Segment(5, 2))
    assert not lineage.has(Segment(4, 2))
    assert not lineage.has(Segment(9, 3))


LEFT = st.lists(st.integers(1, 60), max_size=3, unique=True).map(sorted)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Lineage, list[Segment]]:
    """A lineage of some timelines, and every segment on the way to its newest one."""
    left = draw(LEFT)
    lineage = Lineage(len(left) + 1, tuple((i + 1, number) for i, number in enumerate(left)))
    first = draw(st.integers(0, 40))
    last = draw(st.integers(first, 80))
    return lineage, [lineage.segment(number) for number in range(first, last + 1)]


@given(line=lines())
def test_nothing_is_missing_from_a_whole_log(line: tuple[Lineage, list[Segment]]) -> None:
    lineage, segments = line
    assert wal.missing(segments[0], segments[-1], segments, lineage) == ()
    assert wal.reach(segments[0], segments, lineage) == segments[-1]


@given(line=lines(), data=st.data())
def test_whatever_is_removed_is_missing(
    line: tuple[Lineage, list[Segment]], data: st.DataObject
) -> None:
    lineage, segments = line
    gone = data.draw(st.sets(st.sampled_from(segments), min_size=1))
    left = set(segments) - gone
    assert set(wal.missing(segments[0], segments[-1], left, lineage)) == gone


@given(line=lines(), data=st.data())
def test_nothing_behind_a_gap_is_reached(
    line: tuple[Lineage, list[Segment]], data: st.DataObject
) -> None:
    lineage, segments = line
    gap = data.draw(st.integers(0, len(segments) - 1))
    left = segments[:gap] + segments[gap + 1 :]
    reached = wal.reach(segments[0], left, lineage)
    assert reached == (segments[gap - 1] if gap else None)


def test_a_long_gap_is_told_by_its_beginning() -> None:
    lineage = Lineage(1)
    lacking = wal.missing(Segment(0, 1), Segment(10**6, 1), (), lineage)
    assert len(lacking) == wal.MOST_MISSING
