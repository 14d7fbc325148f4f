from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.expo_client import selection
from tests.fakes.expo_client.manifest import Asset
from tests.fakes.expo_client.selection import Policy, Row

HERE: tuple[str, dict[str, str]] = ("https://updates.example", {"expo-channel-name": "main"})
POLICY = Policy("1", HERE)


def row(id_: str, commit: int, **changes: Any) -> Row:
    known: dict[str, Any] = {
        "runtime_version": "1",
        "launch": Asset("key", "", ""),
        "source": HERE,
        "status": "ready",
    }
    return Row(id_, commit, **known | changes)


MATCHES = [
    ({}, None, True),
    ({"a": "x"}, None, True),
    ({"a": "x"}, {}, True),
    ({"a": "x"}, {"a": "x"}, True),
    ({"a": "x"}, {"a": "y"}, False),
    ({"A": "x"}, {"a": "y"}, False),
    ({"branchName": "x"}, {"branchname": "x"}, True),
    ({}, {"a": "y"}, True),
    ({"a": "x", "b": "x"}, {"a": "x", "b": "y"}, False),
    ({"a": "1"}, {"a": 1}, False),
]


@pytest.mark.parametrize(("metadata", "filters", "passes"), MATCHES)
def test_a_filter_is_compared_with_the_metadata(
    metadata: dict[str, Any], filters: dict[str, Any] | None, *, passes: bool
) -> None:
    assert selection.matches(metadata, filters) is passes


OTHER: tuple[str, dict[str, str]] = ("https://elsewhere.example", {})
LOADS = {
    "newer": (row("n", 2), row("o", 1), None, True),
    "of the same time": (row("n", 1), row("o", 1), None, False),
    "older": (row("n", 1), row("o", 2), None, False),
    "nothing runs": (row("n", 1), None, None, True),
    "fails its own filter": (row("n", 2, metadata={"a": "x"}), None, {"a": "y"}, False),
    "what runs fails the filter": (
        row("n", 1, metadata={"a": "y"}),
        row("o", 2, metadata={"a": "x"}),
        {"a": "y"},
        True,
    ),
    "another runtime version": (row("n", 2, runtime_version="2"), row("o", 1), None, True),
    "from elsewhere": (row("n", 2, source=OTHER), row("o", 1), None, False),
    "what runs is from elsewhere": (row("n", 1), row("o", 2, source=OTHER), None, True),
    "what runs is embedded": (row("n", 2), row("o", 1, source=None), None, True),
}


@pytest.mark.parametrize("case", LOADS)
def test_what_is_offered_is_loaded_only_when_it_is(case: str) -> None:
    new, launched, filters, loads = LOADS[case]
    assert POLICY.should_load(new, launched, filters) is loads


def test_the_newest_that_fits_is_launched() -> None:
    rows = [
        row("old", 1),
        row("fits", 2),
        row("other runtime", 3, runtime_version="2"),
        row("other branch", 4, metadata={"a": "x"}),
        row("elsewhere", 5, source=OTHER),
    ]
    found = POLICY.to_launch(rows, {"a": "y"})
    assert found is not None
    assert found.id == "fits"
    assert POLICY.to_launch([], None) is None


def test_a_rollback_must_be_later_than_what_runs() -> None:
    embedded = row("e", 1, status="embedded")
    assert POLICY.should_roll_back(6, embedded, row("o", 5), None)
    assert not POLICY.should_roll_back(5, embedded, row("o", 5), None)
    assert POLICY.should_roll_back(1, embedded, None, None)
    assert POLICY.should_roll_back(1, embedded, row("o", 5, metadata={"a": "x"}), {"a": "y"})
    unfit = row("e", 1, metadata={"a": "x"})
    assert not POLICY.should_roll_back(9, unfit, row("o", 5), {"a": "y"})


def test_the_reaper_keeps_what_runs_and_one_older() -> None:
    rows = [row(str(number), number) for number in range(1, 6)]
    assert [r.id for r in POLICY.to_delete(rows, rows[3], None)] == ["1", "2"]


def test_the_reaper_prefers_an_older_one_that_fits_the_filters() -> None:
    rows = [row("1", 1, metadata={"a": "y"}), row("2", 2, metadata={"a": "x"}), row("3", 3)]
    assert [r.id for r in POLICY.to_delete(rows, rows[2], {"a": "y"})] == ["2"]


def test_the_reaper_spares_the_embedded_update() -> None:
    rows = [row("e", 1, status="embedded"), row("2", 2), row("3", 3)]
    assert POLICY.to_delete(rows, rows[2], None) == []


@pytest.mark.parametrize(
    ("status", "successful", "failed", "launchable"),
    [
        ("ready", 0, 0, True),
        ("ready", 0, 1, False),
        ("ready", 1, 3, True),
        ("embedded", 0, 0, True),
        ("pending", 0, 0, False),
    ],
)
def test_one_success_makes_up_for_failures(
    status: selection.Status, successful: int, failed: int, *, launchable: bool
) -> None:
    assert row("a", 1, status=status, successful=successful, failed=failed).launchable is launchable
