from __future__ import annotations

import itertools

import pytest
from benchmarks.bench import chain, figures
from benchmarks.bench.chain import Span
from hypothesis import given
from hypothesis import strategies as st

RUN = [
    Span("check out", 0, 1),
    Span("test", 1, 4),
    Span("build", 1, 6),
    Span("release", 6.5, 7),
    Span("look aside", 2, 3),
]


def test_the_longest_chain_goes_through_the_slowest_of_those_side_by_side() -> None:
    assert [span.name for span in chain.longest(RUN)] == ["check out", "build", "release"]


def test_overhead_is_what_a_total_has_beyond_its_chain() -> None:
    assert chain.overhead(7.15, chain.longest(RUN)) == pytest.approx(0.1)


def test_gaps_are_named_after_what_was_waited_for() -> None:
    found = chain.gaps(-0.25, chain.longest(RUN), 7.5)
    assert found == {"check out": 0.25, "build": 0, "release": 0.5, "the end": 0.5}


def test_nothing_has_no_chain() -> None:
    assert chain.longest([]) == ()


SPANS = st.lists(
    st.builds(lambda at, for_: Span("x", at, at + for_), st.integers(0, 20), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


@given(SPANS)
def test_a_chain_never_overlaps_and_no_single_span_is_longer(spans: list[Span]) -> None:
    found = chain.longest(spans)
    assert all(one.ended <= two.began for one, two in itertools.pairwise(found))
    assert sum(one.seconds for one in found) >= max(one.seconds for one in spans)


def test_a_spread_has_the_middle_and_both_ends() -> None:
    found = figures.spread([3.0, 1.0, 2.0])
    assert found == {"count": 3, "median": 2.0, "p95": 2.9, "min": 1.0, "max": 3.0}


def test_one_value_is_its_own_spread() -> None:
    assert figures.spread([4.0])["p95"] == 4.0


def test_no_value_has_no_spread() -> None:
    assert figures.spread([]) == {"count": 0}
