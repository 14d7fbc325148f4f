from __future__ import annotations

import datetime
import pathlib
from typing import Any

import pytest

from shipway.database.backups import configuration, model
from shipway.database.backups.model import (
    SCHEDULES,
    Archived,
    Archiver,
    Backup,
    Operation,
    Reach,
    Result,
    Span,
)
from shipway.database.backups.wal import Lineage, Segment

HOURLY, DAILY = SCHEDULES["continuous"], SCHEDULES["daily"]
MINUTE = datetime.timedelta(minutes=1)


def at(hour: int, minute: int = 0, *, day: int = 23) -> datetime.datetime:
    return datetime.datetime(2026, 11, day, hour, minute, tzinfo=datetime.UTC)


def backup(began: datetime.datetime, kind: Any = "full", *, first: int = 2, **given: Any) -> Backup:
    values = {
        "label": f"{began:%Y%m%d-%H%M%S}{kind[0].upper()}",
        "kind": kind,
        "began": began,
        "ended": began + MINUTE,
        "first": str(Segment(first, 1)),
        "last": str(Segment(first + 1, 1)),
        "size": 1000,
        "stored": 100,
    }
    return Backup(**values | given)


def tried(
    ended: datetime.datetime | None, *, good: bool = False, number: int = 1, **given: Any
) -> Operation:
    result = Result(repository=number, good=good, sentence="It went so.")
    values = {
        "id": "op_1",
        "app": "aios",
        "environment": "production",
        "kind": "backup",
        "arguments": {"type": "full", "repositories": [number]},
        "by": "",
        "state": "running" if ended is None else "succeeded" if good else "failed",
        "sentence": "",
        "results": () if ended is None else (result,),
        "created": (ended or at(9)) - MINUTE,
        "ended": ended,
    }
    return Operation(**values | given)


# --- what is due


def test_a_new_database_is_backed_up_at_once_and_in_full() -> None:
    due = model.due(at(14, 10), HOURLY, {1: [], 2: []})
    assert due == model.Due(kind="full", repositories=(1, 2), slot=at(2))


def test_each_hour_is_added_to_the_full_backup_of_the_day() -> None:
    taken = {1: [backup(at(2, 1))]}
    assert model.due(at(2, 50), HOURLY, taken) is None
    due = model.due(at(3, 0), HOURLY, taken)
    assert due
    assert (due.kind, due.slot) == ("incr", at(3))
    assert model.due(at(3, 20), HOURLY, {1: [*taken[1], backup(at(3, 1), "incr")]}) is None


def test_staging_has_its_full_backup_and_no_more() -> None:
    assert model.due(at(23), DAILY, {1: [backup(at(2, 1))]}) is None


def test_the_day_begins_at_two() -> None:
    yesterday = {1: [backup(at(2, 1, day=22)), backup(at(1, 1), "incr")]}
    assert model.due(at(1, 59), HOURLY, yesterday) is None
    due = model.due(at(2), HOURLY, yesterday)
    assert due
    assert due.kind == "full"


def test_one_backup_makes_up_for_a_week_of_downtime() -> None:
    due = model.due(at(10), HOURLY, {1: [backup(at(2, 1, day=16))]})
    assert due == model.Due(kind="full", repositories=(1,), slot=at(2))
    assert model.due(at(10, 1), HOURLY, {1: [backup(at(10))]}) is None


def test_a_repository_that_was_added_gets_its_own_full_backup() -> None:
    due = model.due(at(14, 10), HOURLY, {1: [backup(at(2, 1))], 2: []})
    assert due
    assert (due.kind, due.repositories) == ("full", (2,))


def test_a_backup_of_damaged_pages_does_not_count() -> None:
    due = model.due(at(10), DAILY, {1: [backup(at(2, 1), broken=True)]})
    assert due
    assert due.kind == "full"


def test_what_failed_is_tried_again_later_and_the_other_repository_at_once() -> None:
    taken: dict[int, list[Backup]] = {1: [], 2: []}
    failed = [tried(at(9), number=2)]
    due = model.due(at(9, 5), HOURLY, taken, failed)
    assert due
    assert due.repositories == (1,)
    again = model.due(at(9, 10), HOURLY, taken, failed)
    assert again
    assert again.repositories == (1, 2)


def test_what_is_under_way_is_not_asked_for_again() -> None:
    assert model.due(at(9), HOURLY, {1: []}, [tried(None)]) is None


def test_the_clock_may_go_back() -> None:
    assert model.due(at(9), HOURLY, {1: [backup(at(12))]}) is None


# --- what can be restored


def log(*numbers: int, timeline: int = 1) -> list[Archived]:
    return [Archived(segment=Segment(n, timeline), at=at(10) + n * MINUTE, size=1) for n in numbers]


def test_everything_from_the_first_backup_to_the_newest_segment_is_reachable() -> None:
    found = model.reach([backup(at(10, 2), first=2)], log(1, 2, 3, 4, 5), Lineage(1))
    assert found.whole
    assert list(model.merged(found.spans)) == [(at(10, 3), at(10, 5))]
    assert model.continuity("The folder", found) == (
        True, "The folder has every segment up to 000000010000000000000005.",
    )  # fmt: skip


def test_a_gap_is_named_and_ends_what_is_reachable_until_the_next_backup() -> None:
    backups = [backup(at(10, 2), first=2), backup(at(10, 7), "incr", first=7)]
    found = model.reach(backups, log(2, 3, 4, 6, 7, 8, 9), Lineage(1))
    assert found.missing == ("000000010000000000000005",)
    assert list(model.merged(found.spans)) == [(at(10, 3), at(10, 4)), (at(10, 8), at(10, 9))]
    good, sentence = model.continuity("The bucket", found)
    assert not good
    assert "The bucket lacks 1 segment(s) of write-ahead log: 000000010000000000000005." in sentence


def test_a_backup_without_its_own_log_reaches_nothing() -> None:
    found = model.reach([backup(at(10, 2), first=2)], log(2, 4, 5), Lineage(1))
    assert found.spans == ()
    assert found.missing == ("000000010000000000000003",)


def test_a_log_that_is_gone_altogether_is_missing() -> None:
    found = model.reach([backup(at(10, 2), first=2)], (), Lineage(1))
    assert not found.whole
    assert found.spans == ()


def test_an_empty_repository_has_nothing_to_restore() -> None:
    good, sentence = model.continuity("The bucket", model.reach([], (), Lineage(1)))
    assert (good, sentence) == (False, "The bucket has no backup that could be restored.")


def test_after_a_restore_the_history_that_was_given_up_is_not_offered() -> None:
    kept = backup(at(10, 2), first=2)
    given_up = backup(at(10, 8), "incr", first=8)
    archive = [*log(2, 3, 4, 5, 6, 7, 8, 9), *log(6, 7, timeline=2)]
    found = model.reach([kept, given_up], archive, Lineage(2, ((1, 6),)))
    assert found.whole
    assert [span.backup for span in found.spans] == [kept.label]
    assert found.newest == "000000020000000000000007"


SPAN = Span(since=at(3), until=at(9), backup="a")
WELL = Archiver(last="0" * 24, last_at=at(10), failed=0, failed_at=None, on=True)


def test_what_was_archived_since_the_last_look_counts() -> None:
    assert model.current(Reach(spans=(SPAN,)), WELL).latest == at(10)


@pytest.mark.parametrize(
    "archiver",
    [
        None,
        Archiver(last="", last_at=None, failed=0, failed_at=None, on=True),
        Archiver(last="0" * 24, last_at=at(10), failed=2, failed_at=at(11), on=True),
    ],
)
def test_what_may_not_have_reached_every_repository_does_not(archiver: Archiver | None) -> None:
    assert model.current(Reach(spans=(SPAN,)), archiver).latest == at(9)


# --- what is alarming


def alarms(now: datetime.datetime, taken: Any, archiver: Archiver | None = WELL) -> dict[str, str]:
    return dict(model.alarms(now, HOURLY, taken, archiver, since=at(2)))


def test_all_is_well() -> None:
    assert alarms(at(10, 30), {1: [backup(at(10))]}) == {}


def test_a_repository_without_a_backup_in_time_is_an_alarm() -> None:
    found = alarms(at(12, 30), {1: [backup(at(10))], 2: [backup(at(12))]})
    assert found == {
        "backup.stale.1": "The last good backup in repository 1 is 2 h old; there should be one"
        " every 60 min."
    }
    assert "has had no good backup" in alarms(at(12, 30), {1: []})["backup.stale.1"]
    assert alarms(at(3), {1: []}) == {}  # it has only begun


def test_an_archive_that_falls_behind_is_an_alarm() -> None:
    behind = Archiver(last="0" * 24, last_at=at(10), failed=3, failed_at=at(10, 1), on=True)
    assert alarms(at(10, 2), {1: [backup(at(10))]}, behind) == {}  # it may recover
    found = alarms(at(10, 30), {1: [backup(at(10))]}, behind)
    assert found["archive.stale"].startswith(
        "No write-ahead log has been archived since 2026-11-23"
    )


def test_an_archive_that_waits_for_a_restart_is_an_alarm() -> None:
    off = Archiver(last="", last_at=None, failed=0, failed_at=None, on=False)
    assert "when the server starts again" in alarms(at(3), {1: []}, off)["archive.stale"]


# --- what pgBackRest is told


def test_a_folder_with_odd_signs_survives_the_shell_that_archives() -> None:
    text = configuration.archiving("/usr/bin/pgbackrest", pathlib.Path("/a b/100%"), 60)
    assert "archive_timeout = '60s'" in text
    assert "''--config=/a b/100%%/backup/pgbackrest.conf''" in text
    assert text.splitlines()[0].endswith(" archive-push %p'")
