from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.database import model
from shipway.database.model import Access, Logged, Migration, Patience, Report, Statement

MIGRATION = Migration(
    app="aios",
    environment="staging",
    deployment="dep_1",
    release="rel_1",
    argv=("alembic", "upgrade", "head"),
    head_argv=("alembic", "current"),
    cwd="releases/rel_1",
    env={"TOKEN": "s3cret-token"},
    owner_url="postgresql://me:s3cret@/aios",
)


def entry(**given: str) -> Logged:
    return model.logged({"user": "schema_owner", "error_severity": "LOG", **given})


def ended(sql: str, ms: str = "12.500") -> Logged:
    return entry(message=f"duration: {ms} ms  statement: {sql}")


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        ([], ""),
        ([""], ""),
        (["0003_notes (head)"], "0003_notes"),
        (["0003_notes", "", "  "], "0003_notes"),
        (["INFO  [alembic.runtime.migration] Context impl PostgresqlImpl."], ""),
        (["abc123 (head)", "[INFO] closing the pool"], "abc123"),
        (["20261123_add_done"], "20261123_add_done"),
        (["INFORMATION_1"], "INFORMATION_1"),
    ],
)
def test_the_head_is_the_first_word_of_the_last_line_said(lines: list[str], head: str) -> None:
    assert model.head(lines) == head


@given(st.lists(st.text(max_size=40), max_size=6))
def test_any_output_gives_a_head_of_one_word(lines: list[str]) -> None:
    assert len(model.head(lines).split()) <= 1


def test_a_statement_is_read_from_either_protocol() -> None:
    log = [
        ended("alter table notes\n  add column done boolean"),
        entry(message="duration: 0.250 ms  execute _pg3_0: insert into notes values ($1)"),
        entry(message="duration: 0.100 ms  parse <unnamed>: insert into notes values ($1)"),
        entry(message="duration: 0.100 ms  bind <unnamed>: insert into notes values ($1)"),
        entry(message="checkpoint complete"),
    ]
    assert model.statements(log) == (
        Statement("alter table notes\n  add column done boolean", 0.0125, 0.0125),
        Statement("insert into notes values ($1)", 0.00025, 0.00025),
    )


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN",
        "begin;",
        "COMMIT",
        "rollback to savepoint a",
        "SAVEPOINT a",
        "SHOW standard_conforming_strings",
        "set lock_timeout = 1",
        "SELECT pg_catalog.version()",
        "SELECT typname AS name, oid FROM pg_type t WHERE t.oid = to_regtype($1)",
        "select n from information_schema.tables",
        "select current_schema()",
        "SELECT 1",
    ],
)
def test_what_changes_nothing_is_left_out(sql: str) -> None:
    assert model.statements([ended(sql)]) == ()


@pytest.mark.parametrize(
    "sql", ["create table a ()", "select setval('a_id_seq', 9)", "select create_hypertable('a')"]
)
def test_what_may_change_something_is_kept(sql: str) -> None:
    assert [one.sql for one in model.statements([ended(sql)])] == [sql]


def test_a_record_without_the_usual_fields_is_no_problem() -> None:
    assert model.logged({}) == Logged(
        user="", application="", state="", severity="", message="", detail="", statement=""
    )


def test_a_migration_of_a_million_rows_is_not_kept_whole() -> None:
    kept = model.statements([ended(f"insert into a values ('{'x' * 9000}')")] * 1200)
    assert (len(kept), len(kept[0].sql)) == (1000, 4000)


LOCKED = entry(error_severity="ERROR", state_code="55P03", statement="alter table notes …")
DEADLOCK = entry(error_severity="ERROR", state_code="40P01", statement="alter table notes …")
BROKEN = entry(error_severity="ERROR", state_code="42P07", statement="create table notes ()")


@pytest.mark.parametrize(
    ("log", "output", "waited"),
    [
        ([LOCKED], [], True),
        ([LOCKED, BROKEN], [], False),
        ([DEADLOCK], [], True),
        ([BROKEN, LOCKED], [], True),
        ([BROKEN], ["the lock is not available: 55P03"], False),
        ([], ["ERROR:  canceling statement due to lock timeout"], True),
        ([], ["psycopg.errors.LockNotAvailable: canceling statement"], True),
        ([], ["ERROR:  relation exists"], False),
        ([], [], False),
    ],
)
def test_only_a_last_error_that_is_a_lock_timeout_is_worth_another_try(
    log: list[Logged], output: list[str], *, waited: bool
) -> None:
    assert model.waited_for_lock(log, output) is waited


def test_the_holders_of_a_lock_are_told_once_each() -> None:
    one = entry(detail="Process holding the lock: 12. Wait queue: 99.")
    many = entry(detail="Processes holding the lock: 12, 34. Wait queue: 99.")
    assert model.holders([one, entry(), many]) == (12, 34)


def test_pauses_double_up_to_the_longest() -> None:
    patience = Patience(first_pause=0.5, longest_pause=3, attempts=6)
    assert list(patience.pauses()) == [0.5, 1, 2, 3, 3]
    assert list(Patience(attempts=1).pauses()) == []


def test_a_waiting_statement_gives_up_long_before_people_notice() -> None:
    patience = Patience()
    assert patience.lock <= 2
    assert sum(patience.pauses()) + patience.lock * patience.attempts < 120
    assert patience.server_options() == "-c lock_timeout=2000 -c statement_timeout=900000"


@pytest.mark.parametrize(
    ("before", "after", "attempts", "sentence"),
    [
        ("", "0002", 1, "The schema went from nothing to 0002 in 1.2 s."),
        ("0001", "0002", 3, "The schema went from 0001 to 0002 in 1.2 s, 3 attempts."),
        ("0002", "0002", 1, "The schema was already at 0002."),
        ("", "", 1, "The schema was already at its beginning."),
    ],
)
def test_a_report_is_a_sentence(before: str, after: str, attempts: int, sentence: str) -> None:
    report = Report(before=before, after=after, statements=(), attempts=attempts, seconds=1.234)
    assert report.sentence == sentence


def test_nothing_secret_shows_when_printed() -> None:
    access = Access(owner_url="s3cret", app_url="s3cret", admin_url="s3cret")
    assert "s3cret" not in f"{MIGRATION!r}{access!r}"
    assert not access.provided
    assert dataclasses.replace(access, admin_url="").provided


def test_a_long_statement_is_cut_to_one_line() -> None:
    assert model.shortened("select\n   1") == "select 1"
    assert len(model.shortened(json.dumps(["x"] * 999))) == 160


def test_a_library_that_looked_at_the_usual_port_is_told_from_others() -> None:
    assert model.missed_the_address(["Error: connect ECONNREFUSED 127.0.0.1:5432"])
    assert not model.missed_the_address(["Error: connect ECONNREFUSED 127.0.0.1:6379"])
