from __future__ import annotations

import pytest

from shipway.kit import errors, migrate

FIRST = migrate.Migration(1, "0001_first", "create table a ()")
SECOND = migrate.Migration(2, "0002_second", "create table b ()")
THIRD = migrate.Migration(3, "0003_third", "create table c ()")


def applied(*migrations: migrate.Migration) -> dict[str, str]:
    return {migration.name: migration.checksum for migration in migrations}


def test_a_fresh_database_gets_everything_in_order() -> None:
    assert migrate.pending([SECOND, FIRST], {}) == (FIRST, SECOND)


def test_what_has_run_is_left_out() -> None:
    assert migrate.pending([FIRST, SECOND, THIRD], applied(FIRST, SECOND)) == (THIRD,)


def test_every_reason_against_a_history_is_told_at_once() -> None:
    edited = {**applied(THIRD), FIRST.name: "0" * 64, "0004_gone": "1" * 64}
    with pytest.raises(errors.Refused) as refusal:
        migrate.pending([FIRST, SECOND, THIRD], edited)
    assert refusal.value.reasons == (
        "Migration 0004_gone has run on this database, but this Shipway does not have it",
        "Migration 0001_first was edited after it had run",
        "Migration 0002_second is new, but 0004_gone has already run",
    )


def test_the_shipped_migrations_have_distinct_numbers() -> None:
    numbers = [migration.number for migration in migrate.shipped()]
    assert len(numbers) == len(set(numbers))
