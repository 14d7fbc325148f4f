from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.database.backups import moments
from shipway.database.backups.model import Backup, Reach, Span
from shipway.database.backups.moments import Choice, Lived
from shipway.kit import errors


def at(hour: int, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 11, 23, hour, minute, tzinfo=datetime.UTC)


NOW = at(14)
LIVED = [
    Lived(version="v3", began=at(12), before="0002", after="0002"),
    Lived(version="v2", began=at(10), before="0001", after="0002"),
    Lived(version="v1", began=at(8), before="", after="0001"),
]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2026-11-23 13:30", at(13, 30)),
        ("2026-11-23T13:30:00Z", at(13, 30)),
        ("2026-11-23 13:30:00 UTC", at(13, 30)),
        ("2026-11-23 14:30+01:00", at(13, 30)),
        ("newest", None),
        ("", None),
        ("v1", at(10)),
        ("v2", at(12)),
        ("v3", None),  # it is live
        ("before 0002", at(10)),
        ("Before 0001", at(8)),
    ],
)
def test_a_moment_is_named_in_many_ways(asked: str, expected: datetime.datetime | None) -> None:
    assert moments.moment(asked, NOW, LIVED) == expected


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("2026-11-23 14:01", "2026-11-23 14:01:00 UTC is in the future: it is 2026-11-23 14:00:00"),
        ("2026-11-23 16:00+01:00", "is in the future"),
        ("yesterday", "'yesterday' is no moment"),
        ("2026-02-30", "is no moment"),
        ("v9", "v9 was never live here. These were: v3, v2, v1."),
        ("before 0009", "No migration '0009' has run here. These have: 0002, 0001."),
    ],
)
def test_what_is_no_moment_is_told(asked: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        moments.moment(asked, NOW, LIVED)
    assert said in str(caught.value)


@given(asked=st.text(max_size=40))
def test_anything_is_a_moment_or_refused(asked: str) -> None:
    try:
        found = moments.moment(asked, NOW, LIVED)
    except errors.Invalid:
        return
    assert found is None or found <= NOW


def backup(label: str) -> Backup:
    return Backup(
        label=label,
        kind="full",
        began=at(1),
        ended=at(2),
        first="",
        last="",
        size=5_000_000,
        stored=1,
    )


def reach(*spans: tuple[int, int]) -> Reach:
    return Reach(
        spans=tuple(
            Span(since=at(since), until=at(until), backup=f"at {since}") for since, until in spans
        )
    )


FOLDER, BUCKET = reach((2, 13), (6, 13)), reach((1, 9), (11, 12))
BACKUPS = {1: [backup("at 2"), backup("at 6")], 2: [backup("at 1"), backup("at 11")]}


def choose(moment: datetime.datetime | None, repository: int | None = None) -> tuple[int, str]:
    found = moments.choose(moment, {1: FOLDER, 2: BUCKET}, BACKUPS, repository=repository)
    return found.repository, found.backup


def test_the_newest_backup_before_the_moment_is_taken_from_the_folder() -> None:
    assert choose(at(5)) == (1, "at 2")
    assert choose(at(7)) == (1, "at 6")
    assert choose(None) == (1, "at 6")


def test_the_bucket_has_what_the_folder_has_not() -> None:
    assert choose(at(1, 30)) == (2, "at 1")
    assert choose(at(11, 30), repository=2) == (2, "at 11")
    assert choose(None, repository=2) == (2, "at 11")


@pytest.mark.parametrize(
    ("moment", "repository"),
    [(at(0), None), (at(13, 30), None), (at(10), 2), (at(0), 1)],
)
def test_what_cannot_be_restored_is_refused_with_what_can(
    moment: datetime.datetime, repository: int | None
) -> None:
    with pytest.raises(errors.Refused, match="cannot be restored: what can be is from 2026-11-23"):
        choose(moment, repository)


def test_without_a_backup_nothing_can_be_restored() -> None:
    with pytest.raises(errors.Refused, match="no backup yet"):
        moments.choose(None, {}, {})


def test_tables_that_differ_come_first() -> None:
    found = moments.differences({"public.a": 1, "public.b": 2}, {"public.a": 1, "public.c": 3})
    assert [(one.table, one.live, one.copy, one.differs) for one in found] == [
        ("public.b", 2, None, True),
        ("public.c", None, 3, True),
        ("public.a", 1, 1, False),
    ]


def test_a_preview_says_what_would_be_lost() -> None:
    choice = Choice(repository=1, backup="20261123-F", size=5_000_000, at=at(9), until=at(13))
    said = " ".join(moments.preview(choice, NOW, LIVED))
    assert "20261123-F (5.0 MB) would be restored from repository 1" in said
    assert "until 2026-11-23 09:00:00 UTC" in said
    assert "what was written in the last 5 hours" in said
    assert "back the schema to 0001 (without 0002)" in said
