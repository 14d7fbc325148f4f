from __future__ import annotations

import json
from typing import Any

from shipway.database import measuring
from shipway.database.measuring import Lock, Wait
from shipway.database.model import Logged


def entry(at: float, message: str = "", *, sql: str = "", seconds: float = 0.0) -> Logged:
    return Logged(user="schema_owner", application="", state="", severity="LOG", message=message,
                  detail="", statement="", sql=sql, seconds=seconds, at=at, pid=7)  # fmt: skip


def saw(at: float, kind: str, **told: Any) -> Logged:
    return entry(at, measuring.SAW + json.dumps({"kind": kind, **told}))


def ended(at: float, sql: str, seconds: float) -> Logged:
    return entry(at, sql=sql, seconds=seconds)


def test_a_lock_lasts_until_its_transaction_ends() -> None:
    log = [
        ended(100.0, "BEGIN", 0),
        saw(100.1, "start", tag="ALTER TABLE"),
        saw(100.2, "end", tag="ALTER TABLE", locks=[["orders", "AccessExclusiveLock"]]),
        ended(100.2, "alter table orders add column a int", 0.1),
        ended(103.2, "update orders set a = 1", 3.0),
        ended(103.3, "COMMIT", 0.1),
    ]
    alter, update = measuring.measure(log, [], {"orders"})
    assert (alter.seconds, update.seconds) == (0.1, 3.0) or abs(alter.seconds - 0.1) < 1e-6
    assert alter.strongest
    assert (alter.strongest.name, round(alter.strongest.seconds, 1)) == ("ACCESS EXCLUSIVE", 3.2)
    assert update.strongest is None


def test_a_table_that_the_migration_makes_keeps_nobody_waiting() -> None:
    log = [
        saw(100.1, "start", tag="CREATE INDEX"),
        saw(105.0, "end", tag="CREATE INDEX", locks=[["new", "ShareLock"]]),
        ended(105.0, "create index on new (a)", 4.9),
    ]
    (found,) = measuring.measure(log, [], {"orders"})
    assert found.locks == ()
    assert found.felt_seconds == 0.0


def test_a_file_that_is_sent_as_one_text_is_taken_apart() -> None:
    log = [
        saw(100.0, "start", tag="ALTER TABLE"),
        saw(100.5, "end", tag="ALTER TABLE", locks=[["orders", "AccessExclusiveLock"]]),
        saw(102.5, "start", tag="CREATE INDEX"),
        saw(103.5, "end", tag="CREATE INDEX", locks=[["orders", "ShareLock"]]),
        ended(
            103.6,
            "alter table orders add a int; update orders set a = 1; create index on orders (a);",
            3.6,
        ),
    ]
    found = measuring.measure(log, [], {"orders"})
    assert [one.statement for one in found] == [
        "alter table orders add a int",
        "update orders set a = 1",
        "create index on orders (a)",
    ]
    assert [round(one.seconds, 1) for one in found] == [0.5, 2.0, 1.1]


def test_who_waits_is_counted_at_the_statement_that_locked() -> None:
    log = [
        ended(100.0, "begin", 0),
        saw(100.0, "start", tag="ALTER TABLE"),
        saw(100.1, "end", tag="ALTER TABLE", locks=[["orders", "AccessExclusiveLock"]]),
        ended(100.1, "alter table orders add column a int", 0.1),
        ended(102.1, "update other set a = 1", 2.0),
        ended(102.1, "commit", 0.0),
    ]
    waits = [
        Wait("select 1 from orders", "orders", 101.0, 1.1),
        Wait("update other set b = 2", "", 101.5, 0.6),
        Wait("select of another time", "orders", 50.0, 9.0),
    ]
    alter, update = measuring.measure(log, waits, {"orders", "other"})
    assert [one.seconds for one in alter.waits] == [1.1]
    assert [one.seconds for one in update.waits] == [0.6]
    assert update.felt_seconds == 0.6


def test_what_is_written_anew_and_ahead_is_told_with_its_statement() -> None:
    log = [
        saw(100.0, "start", tag="ALTER TABLE"),
        saw(100.1, "rewrite", table="orders"),
        saw(101.0, "end", tag="ALTER TABLE", locks=[["orders", "AccessExclusiveLock"]]),
        ended(101.0, "alter table orders alter a type bigint", 1.0),
    ]
    measured = measuring.measure(log, [], {"orders"})
    (found,) = measuring.with_wal(measured, {"alter table orders alter a type bigint": 5})
    assert (found.rewritten, found.wal_bytes) == (("orders",), 5)


def test_the_strongest_lock_is_the_one_that_is_felt_the_longest() -> None:
    found = measuring.Measured(
        statement="",
        seconds=1,
        locks=(
            Lock("a", "ShareUpdateExclusiveLock", 9.0),
            Lock("a", "ShareLock", 1.0),
            Lock("a", "AccessExclusiveLock", 1.0),
        ),
    )
    assert found.strongest == Lock("a", "AccessExclusiveLock", 1.0)
