from __future__ import annotations

import pytest

from shipway.database import lint
from shipway.database.lint import Seen


def rules(statement: str, *seen: Seen) -> list[str]:
    return [one.rule for one in lint.findings([statement], seen, lambda table: table != "new")]


@pytest.mark.parametrize(
    ("rule", "dangerous", "safe"),
    [
        ("index", "create index i on orders (a)", "create index concurrently i on orders (a)"),
        ("index drop", "drop index i", "drop index concurrently i"),
        (
            "volatile default",
            "alter table orders add column t uuid not null default gen_random_uuid()",
            "alter table orders add column t uuid",
        ),
        (
            "volatile default",
            "alter table orders add n bigserial",
            "alter table orders add n bigint not null default 5",
        ),
        (
            "required column",
            "alter table orders add column a int not null",
            "alter table orders add column a int not null default 0",
        ),
        (
            "type",
            "alter table orders alter column a type bigint",
            "alter table orders alter column a set default 1",
        ),
        (
            "not null",
            "alter table orders alter a set not null",
            "alter table orders alter a drop not null",
        ),
        (
            "foreign key",
            "alter table orders add constraint f foreign key (a) references b (id)",
            "alter table orders add constraint f foreign key (a) references b (id) not valid",
        ),
        (
            "check",
            "alter table orders add check (a > 0)",
            "alter table orders add constraint c check (a > 0) not valid",
        ),
        (
            "unique",
            "alter table orders add constraint u unique (a)",
            "alter table orders add constraint u unique using index i",
        ),
        ("column drop", "alter table orders drop a", "alter table orders drop constraint a"),
        ("table drop", "drop table orders", "drop table new"),
        (
            "rename",
            "alter table orders rename a to b",
            "alter table orders rename constraint a to b",
        ),
        ("backfill", "update orders set a = 1", "update new set a = 1"),
        ("rewrite", "vacuum full orders", "vacuum orders"),
        ("truncate", "truncate orders", "truncate new"),
        ("reindex", "reindex index i", "reindex index concurrently i"),
        (
            "refresh",
            "refresh materialized view v",
            "refresh materialized view concurrently v",
        ),
        ("lock", "lock table orders", "lock table new"),
    ],
)
def test_what_is_dangerous_is_found_and_its_safe_form_is_not(
    rule: str, dangerous: str, safe: str
) -> None:
    assert rules(dangerous) == [rule]
    assert rules(dangerous.upper()) == [rule]
    assert rules(safe) == []


def test_a_finding_says_statement_lock_danger_and_the_safer_way() -> None:
    (found,) = lint.findings(["create index i\n  on orders (a)"], (), lambda _: True)
    assert found.sentence == (
        "`create index i on orders (a)` takes SHARE on orders: nobody can write while the index is"
        " built. Write `create index concurrently`, outside a transaction."
    )


def test_what_squawk_has_found_too_is_told_once_in_our_words() -> None:
    seen = Seen("require-concurrent-index-creation", 0, "blocks\nUse concurrently")
    assert rules("create index i on orders (a)", seen) == ["index"]


def test_what_only_squawk_knows_is_told_in_its_words() -> None:
    seen = Seen("ban-truncate-cascade", 0, "It empties more tables.\nName them.")
    (found,) = lint.findings(["select 1"], (seen,), lambda _: True)
    assert found.sentence == "`select 1`: It empties more tables. Name them."


@pytest.mark.parametrize("rule", ["prefer-bigint-over-int", "require-lock-timeout"])
def test_matters_of_taste_are_left_out(rule: str) -> None:
    assert rules("select 1", Seen(rule, 0, "taste")) == []
