from __future__ import annotations

import pytest

from shipway.database import load


@pytest.mark.parametrize(
    ("statement", "places"),
    [
        ("select note from orders where id = $1", {1: "id"}),
        ("select 1 from a where a.x >= $1 and b in ($2, $3)", {1: "x", 2: "b", 3: "b"}),
        ('update orders set "State" = $1 where id = any($2)', {1: "State", 2: "id"}),
        ("insert into orders (id, amount) values ($1, $2::int)", {1: "id", 2: "amount"}),
        ("select * from orders limit $1", {}),
    ],
)
def test_a_parameter_is_about_a_column(statement: str, places: dict[int, str]) -> None:
    assert load.places(statement) == places


def test_the_tables_of_a_statement_are_found() -> None:
    statement = 'select * from orders join "Notes" n on n.id = orders.id'
    assert load.tables(statement) == ("orders", '"Notes"')


def test_values_of_one_s_own_differ() -> None:
    for type_ in ("integer", "bigint", "uuid", "text", "character varying(20)"):
        assert load.made_up(type_, fresh=True) != load.made_up(type_, fresh=True)
    assert load.made_up("point", fresh=False) is None
    assert load.made_up("integer[]", fresh=False) == "{}"
