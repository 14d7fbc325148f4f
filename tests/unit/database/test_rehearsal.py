from __future__ import annotations

import dataclasses
import datetime

from shipway.database import lint, rehearsal
from shipway.database.measuring import Lock, Measured, Wait
from shipway.database.rehearsal import Broken, Budget, Content, Rehearsal, Reversal, Seen

BUDGET = Budget(seconds=0.5, disk_bytes=1000)
ASKED = Rehearsal(id="rhs_1", app="aios", environment="production", release="rel_1", version="v2",
                  at=datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC))  # fmt: skip

INDEX = "create index i on orders (a)"
SLOW = Measured(
    statement=INDEX,
    seconds=2.0,
    locks=(Lock("orders", "ShareLock", 2.0),),
    waits=(Wait("insert into orders values ($1)", "orders", 100.0, 1.5),),
)
QUICK = dataclasses.replace(SLOW, seconds=0.1, locks=(Lock("orders", "ShareLock", 0.1),), waits=())
FOUND = lint.findings([INDEX], (), lambda _: True)


def seen(**given: object) -> Seen:
    known = Seen(copy="A copy.", load="Some.", before="1", after="2", knows_statements=True)
    return dataclasses.replace(known, **given)  # type: ignore[arg-type]


def judged(**given: object) -> Rehearsal:
    return rehearsal.judged(ASKED, seen(**given), BUDGET)


def test_what_keeps_others_waiting_for_too_long_is_blocked_with_the_safer_way() -> None:
    found = judged(measured=(SLOW,), findings=FOUND)
    assert (found.state, found.lets_in) == ("blocked", False)
    assert found.sentence == (
        "`create index i on orders (a)` keeps everybody from writing orders for 2.00 s (SHARE); the"
        " budget is 0.5 s: nobody can write while the index is built. 1 statement of the load waited"
        " for it. Write `create index concurrently`, outside a transaction."
    )


def test_what_is_dangerous_but_quick_is_remarked() -> None:
    found = judged(measured=(QUICK,), findings=FOUND)
    assert found.state == "passed"
    assert found.remarks[0].endswith("Measured: 0.10 s, SHARE for 0.10 s.")
    assert found.sentence.startswith("Rehearsed from 1 to 2: 1 statement in 0.1 s, nobody kept")


def test_who_waits_for_rows_counts_where_no_lock_on_a_table_does() -> None:
    update = Measured(statement="update orders set a = 1", seconds=3.0,
                      waits=(Wait("update orders", "", 1.0, 2.5),))  # fmt: skip
    found = judged(measured=(update,))
    assert "makes others wait for 2.50 s; the budget is 0.5 s." in found.reasons[0]
    assert found.reasons[0].endswith("Split it into parts that each take less time.")


def test_what_breaks_the_live_release_is_blocked_with_its_statement() -> None:
    broken = Broken("select note from orders", 'column "note" does not exist')
    found = judged(measured=(QUICK,), broken=(broken,))
    assert found.sentence == (
        "The live release, or a warm one, runs `select note from orders`, which fails after this"
        ' migration: column "note" does not exist. Let a release go live first that does not need it, and make this'
        " change afterwards."
    )


def test_a_drop_is_blocked_where_nobody_knows_what_the_live_release_asks() -> None:
    drop = "alter table orders drop column note"
    findings = lint.findings([drop], (), lambda _: True)
    assert judged(findings=findings, measured=(QUICK,)).state == "passed"
    unknown = judged(findings=findings, measured=(QUICK,), knows_statements=False)
    assert unknown.state == "blocked"
    assert unknown.sentence.endswith("The statements of the live release are not known here.")


def test_what_needs_more_disk_than_there_is_is_blocked() -> None:
    assert "2,000 bytes on the disk" in judged(disk_bytes=2000).sentence


def test_what_fails_on_the_copy_is_a_failure_and_not_a_matter_of_budget() -> None:
    found = judged(failure="On a copy it failed at `select 1 / 0`: division by zero.")
    assert (found.state, found.reasons) == ("failed", (found.sentence,))


def test_a_way_back_needs_equal_data() -> None:
    back = dataclasses.replace(ASKED, direction="down")
    lossy = Reversal(proven=False, sentence="Down does not bring back the rows of orders.")
    blocked = rehearsal.judged(back, seen(measured=(QUICK,), reversal=lossy), BUDGET)
    assert (blocked.state, blocked.sentence) == ("blocked", lossy.sentence)
    proven = Reversal(proven=True, sentence="Up, down and up again left equal data.")
    passed = rehearsal.judged(back, seen(measured=(QUICK,), reversal=proven), BUDGET)
    assert passed.state == "passed"


BEFORE = Content(columns=("orders.id",), shape=frozenset({"column id"}), sums=(("orders", 2, "9"),))
UP = Content(
    columns=("orders.due", "orders.id"),
    shape=frozenset({"column id", "column due"}),
    sums=(("orders", 2, "9"),),
)


def test_up_down_and_up_with_equal_data_is_a_proof_and_tells_what_goes() -> None:
    found = rehearsal.reversal(BEFORE, UP, BEFORE, UP)
    assert found.proven
    assert found.lost == ("orders.due",)
    assert "what is in orders.due by then goes with it" in found.sentence


def test_a_down_that_does_not_invert_up_is_found() -> None:
    other = dataclasses.replace(BEFORE, sums=(("orders", 2, "8"),))
    assert "rows of orders" in rehearsal.reversal(BEFORE, UP, other, UP).sentence
    assert "column due differs" in rehearsal.reversal(BEFORE, UP, UP, UP).sentence
    again = dataclasses.replace(UP, sums=(("orders", 1, "9"),))
    assert "gives orders other rows" in rehearsal.reversal(BEFORE, UP, BEFORE, again).sentence
