from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.database import sql


def split(text: str) -> list[str]:
    return [part.sql for part in sql.split(text)]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ;; ", []),
        ("-- nothing; at all", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';'; select 2", ["select ';'", "select 2"]),
        ("select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]),
        (r"select E'\';'; select 2", [r"select E'\';'", "select 2"]),
        (r"select 'a\'; select 2", [r"select 'a\'", "select 2"]),
        ('select ";"; select 2', ['select ";"', "select 2"]),
        ("do $$ begin; end $$; select 2", ["do $$ begin; end $$", "select 2"]),
        ("do $a$ $$; $$ $a$; select 2", ["do $a$ $$; $$ $a$", "select 2"]),
        ("select 1 /* ; */; select 2", ["select 1 /* ; */", "select 2"]),
        ("select 4 - 2 / 1; select 2", ["select 4 - 2 / 1", "select 2"]),
    ],
)
def test_a_text_is_split_where_statements_end(text: str, statements: list[str]) -> None:
    assert split(text) == statements


@given(st.text(alphabet="ae ;'\"$-/*\n\\", max_size=40))
def test_any_text_is_split_into_parts_that_stand_in_it(text: str) -> None:
    for part in sql.split(text):
        assert text[part.offset :].startswith(part.sql)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("alter table orders add column a int", "orders"),
        ("ALTER TABLE IF EXISTS ONLY shop.orders ADD a int", "shop.orders"),
        ('alter table "Orders" drop column a', "Orders"),
        ("create unique index concurrently if not exists i on only orders (a)", "orders"),
        ("create index on orders (a)", "orders"),
        ("-- a word before\nupdate only orders set a = 1", "orders"),
        ("delete from orders", "orders"),
        ("truncate orders", "orders"),
        ("drop index i", ""),
        ("select 1", ""),
    ],
)
def test_the_table_of_a_statement_is_found(statement: str, table: str) -> None:
    assert sql.table(statement) == table


def test_a_statement_is_known_by_what_postgresql_calls_it() -> None:
    assert sql.is_tagged("create unique index concurrently i on a (b)", "CREATE INDEX")
    assert sql.is_tagged("create temp table a ()", "CREATE TABLE")
    assert not sql.is_tagged("alter table a rename to index", "CREATE INDEX")


def test_values_do_not_tell_statements_apart() -> None:
    one = sql.pattern("UPDATE orders\nSET a = 'x' WHERE id = 12;")
    assert one == sql.pattern("update orders set a = $1 where id = $2")


def test_a_position_leads_to_its_statement() -> None:
    found = sql.at("select 1; selec 2; select 3", 10)
    assert found
    assert (found[0], found[1].sql) == (2, "selec 2")
    assert sql.at("select 1", -1) is None


@pytest.mark.parametrize("text", ["commit", "END;", "rollback", "ROLLBACK WORK"])
def test_what_ends_a_transaction(text: str) -> None:
    assert sql.ends_transaction(text)
    assert sql.begins_transaction("begin;")
    assert not sql.ends_transaction("rollback to savepoint a")
