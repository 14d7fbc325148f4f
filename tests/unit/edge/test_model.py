from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.edge import model
from shipway.edge.model import Pool, Route, Share, Table
from shipway.kit import errors

WEIGHTS = st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=12).filter(any)
WHOLE_WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(any)


@given(WEIGHTS)
def test_shares_are_whole_and_add_up(weights: list[float]) -> None:
    shares = model.split(weights)
    assert sum(shares) == model.WHOLE
    assert min(shares) >= 0
    assert all(share == 0 for share, weight in zip(shares, weights, strict=True) if weight == 0)


@given(WEIGHTS)
def test_a_greater_weight_never_gets_less(weights: list[float]) -> None:
    pairs = list(zip(weights, model.split(weights), strict=True))
    assert all(mine[1] >= other[1] for mine in pairs for other in pairs if mine[0] > other[0])


@given(WEIGHTS)
def test_shares_are_within_one_of_the_exact_part(weights: list[float]) -> None:
    total = sum(weights)
    for weight, share in zip(weights, model.split(weights), strict=True):
        assert abs(share - weight * model.WHOLE / total) < 1.000001


@given(WHOLE_WEIGHTS, st.integers(1, 10_000), st.data())
def test_who_weighs_more_than_before_does_not_get_less(
    weights: list[int], more: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(weights) - 1))
    heavier = [*weights[:at], weights[at] + more, *weights[at + 1 :]]
    assert model.split(heavier)[at] >= model.split(weights)[at]


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ((1,), (1000,)),
        ((1, 1, 1), (334, 333, 333)),
        ((1, 99), (10, 990)),
        ((0, 5), (0, 1000)),
        ((0.5, 0.5), (500, 500)),
    ],
)
def test_split(weights: tuple[float, ...], shares: tuple[int, ...]) -> None:
    assert model.split(weights) == shares


@pytest.mark.parametrize("weights", [(), (0,), (1, -1), (float("nan"),), (float("inf"), 1)])
def test_weights_that_say_nothing_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(errors.Invalid):
        model.split(weights)


POOL = Pool(name="blue", endpoints=("127.0.0.1:20000", "[::1]:20000"), health_path="/health")
ROUTE = Route(host="api.example.com", shares=(Share(pool="blue", per_mille=1000),))


def test_a_sound_table_is_taken() -> None:
    told = Share(pool="blue", per_mille=0, headers={"x-shipway-exports": "a,b"})
    routes = ROUTE, Route(host="localhost", shares=(*ROUTE.shares, told), timeout_seconds=0)
    model.check(Table(routes, (POOL, Pool(name="empty", endpoints=()))))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"host": "*.example.com"}, "is not the name of a host"),
        ({"host": "Example.com"}, "is not the name of a host"),
        ({"host": "a..b"}, "is not the name of a host"),
        ({"host": "a/../b"}, "is not the name of a host"),
        ({"shares": ()}, "do not add up"),
        ({"shares": (Share(pool="blue", per_mille=999),)}, "do not add up"),
        (
            {"shares": (Share(pool="blue", per_mille=-1), Share(pool="blue", per_mille=1001))},
            "do not add up",
        ),
        ({"shares": (Share(pool="red", per_mille=1000),)}, "'red', which is not there"),
        ({"minimum_tls": "1.1"}, "not 1.2 or 1.3"),
        ({"timeout_seconds": -1}, "time-out"),
        ({"timeout_seconds": float("inf")}, "time-out"),
        (
            {"shares": (Share(pool="blue", per_mille=1000, headers={"host": "x"}),)},
            "only printable",
        ),
        (
            {"shares": (Share(pool="blue", per_mille=1000, headers={"x-shipway-a": "x\r\ny"}),)},
            "only printable",
        ),
    ],
)
def test_a_route_that_cannot_be_served_is_named(change: dict[str, object], problem: str) -> None:
    route = dataclasses.replace(ROUTE, **change)  # type: ignore[arg-type]
    with pytest.raises(errors.Invalid) as caught:
        model.check(Table((route,), (POOL,)))
    assert problem in " ".join(caught.value.problems)


@pytest.mark.parametrize(
    "pool",
    [
        Pool(name="../x", endpoints=()),
        Pool(name="", endpoints=()),
        Pool(name="blue", endpoints=("localhost:80",)),
        Pool(name="blue", endpoints=("127.0.0.1:0",)),
        Pool(name="blue", endpoints=("127.0.0.1",)),
        Pool(name="blue", endpoints=("127.0.0.1:٣",)),
        Pool(name="blue", endpoints=(), health_path="health"),
        Pool(name="blue", endpoints=(), health_path="/a b"),
    ],
)
def test_a_pool_that_cannot_be_served_is_named(pool: Pool) -> None:
    with pytest.raises(errors.Invalid):
        model.check(Table((), (pool,)))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(errors.Invalid) as caught:
        model.check(Table((ROUTE, ROUTE), (POOL, POOL, Pool(name="?", endpoints=("x",)))))
    assert caught.value.problems == (
        "The pool 'blue' stands 2 times in it.",
        "The host 'api.example.com' stands 2 times in it.",
        "'?' is no name for a pool.",
        "The endpoint 'x' of pool ? is not address:port.",
    )
