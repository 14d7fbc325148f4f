from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.access import model
from shipway.access.model import Action, Approval, Caller, Role
from shipway.kit import errors

READY = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
LATER = READY + datetime.timedelta(hours=2)
SOON = READY + datetime.timedelta(minutes=5)
ONE = model.Rule(count=1)


def approval(person: str, reason: str = "") -> Approval:
    return Approval(person, reason, SOON)


def judge(
    *given: Approval,
    rule: model.Rule = ONE,
    authors: str = "ana",
    approvers: str = "ana bo",
    owners: str = "",
    now: datetime.datetime = LATER,
) -> model.Decision:
    voters = model.Voters(
        authors=frozenset(authors.split()),
        approvers=frozenset(approvers.split()),
        owners=frozenset(owners.split()),
    )
    return model.enough(
        given,
        rule,
        voters,
        ready_since=READY,
        now=now,
    )


@pytest.mark.parametrize(
    ("role", "action", "environment", "allowed"),
    [
        (Role.VIEWER, Action.READ, "", True),
        (Role.VIEWER, Action.PUSH, "", False),
        (Role.DEVELOPER, Action.PUSH, "", True),
        (Role.DEVELOPER, Action.SET_VARIABLE, "staging", True),
        (Role.DEVELOPER, Action.SET_VARIABLE, "production", False),
        (Role.APPROVER, Action.SET_VARIABLE, "production", True),
        (Role.DEVELOPER, Action.DEPLOY, "production", False),
        (Role.DEVELOPER, Action.APPROVE, "", False),
        (Role.APPROVER, Action.CHANGE_PEOPLE, "", False),
        (Role.OWNER, Action.CHANGE_PEOPLE, "", True),
    ],
)
def test_who_may_do_what(*, role: Role, action: Action, environment: str, allowed: bool) -> None:
    caller = Caller("ana", role, "tok_1")
    if allowed:
        caller.must(action, environment)
    else:
        with pytest.raises(errors.Denied):
            caller.must(action, environment)


def test_a_denial_names_the_role_that_is_missing() -> None:
    with pytest.raises(errors.Denied) as denied:
        Caller("ana", Role.DEVELOPER, "tok_1").must(Action.SET_VARIABLE, "production")
    assert str(denied.value) == (
        "ana is a developer and may not set variables here (production). Ask an approver."
    )


@given(
    one=st.sampled_from(Role),
    other=st.sampled_from(Role),
    action=st.sampled_from(Action),
    production=st.booleans(),
)
def test_a_higher_role_may_do_all_that_a_lower_may(
    *, one: Role, other: Role, action: Action, production: bool
) -> None:
    lower, higher = sorted((one, other), key=list(Role).index)
    needed = model.needed(action, "production" if production else "staging")
    assert higher.includes(needed) or not lower.includes(needed)


def test_every_action_has_a_role() -> None:
    assert set(model.NEEDED) == set(Action)


def test_the_yes_of_another_is_enough() -> None:
    assert judge(approval("bo")).sentence == "Approved by bo."


def test_no_approval_yet_says_who_could_give_one() -> None:
    decision = judge()
    assert not decision.enough
    assert decision.sentence == "0 of 1 approvals given. bo can approve."


def test_an_author_does_not_count_while_another_could_approve() -> None:
    decision = judge(approval("ana", "it is fine"))
    assert decision.sentences == (
        "0 of 1 approvals given.",
        "The yes of ana does not count: an author, while bo could approve.",
        "bo can approve.",
    )


def test_an_author_alone_needs_a_reason() -> None:
    decision = judge(approval("ana"), approvers="ana")
    assert "The yes of ana does not count: an author alone must write a reason." in (
        decision.sentences
    )


def test_an_author_alone_waits() -> None:
    decision = judge(approval("ana", "alone here"), approvers="ana", now=SOON)
    assert not decision.enough
    assert "The yes of ana, an author, counts from 2026-11-01 13:00 UTC." in decision.sentences
    assert decision.due == READY + datetime.timedelta(hours=1)


def test_an_author_alone_is_told_from_when_their_yes_counts() -> None:
    soon, later = judge(approvers="ana", now=SOON), judge(approvers="ana")
    assert soon.sentences[-1] == (
        "Only its author ana can approve, with a reason: it counts from 2026-11-01 13:00 UTC."
    )
    assert later.sentences[-1] == "Only its author ana can approve, with a reason."


def test_an_author_alone_counts_after_the_delay() -> None:
    assert judge(approval("ana", "alone here"), approvers="ana").sentence == "Approved by ana."


def test_the_policy_may_let_an_author_approve() -> None:
    rule = model.Rule(count=1, approve_own=True)
    assert judge(approval("ana"), rule=rule, now=SOON).enough


def test_a_yes_of_somebody_who_lost_the_role_does_not_count() -> None:
    decision = judge(approval("cy"))
    assert "The yes of cy does not count: cy may not approve any more." in decision.sentences


def test_two_are_needed() -> None:
    rule = model.Rule(count=2)
    decision = judge(approval("bo"), rule=rule, approvers="ana bo cy")
    assert decision.sentence == "1 of 2 approvals given (bo). cy can approve."
    assert judge(approval("bo"), approval("cy"), rule=rule, approvers="ana bo cy").enough


def test_without_any_approver_it_says_what_to_do() -> None:
    assert judge(approvers="").sentences[-1].endswith("add an approver with `shipway people add`.")


def test_nothing_needed_is_enough() -> None:
    assert judge(rule=model.Rule(count=0)).sentence == "No approval is needed."


def test_an_owner_alone_is_enough_in_an_emergency() -> None:
    yes = Approval("ana", "sign-in is down", SOON, emergency=True)
    rule = model.Rule(count=2, by_owner=True, weaker=("production would have tls = false",))
    decision = judge(yes, rule=rule, owners="ana", now=SOON)
    assert (decision.enough, decision.counted) == (True, ("ana",))
    assert decision.sentence == (
        "ana lets it pass in an emergency, without approvals: sign-in is down."
    )


def test_nobody_but_an_owner_declares_an_emergency() -> None:
    yes = Approval("ana", "sign-in is down", SOON, emergency=True)
    assert not judge(yes, now=SOON).enough


def test_a_hotfix_needs_the_yes_of_an_owner() -> None:
    rule = model.Rule(count=1, by_owner=True)
    decision = judge(approval("bo"), rule=rule, approvers="ana bo olga", owners="olga")
    assert decision.sentence == (
        "0 of 1 approvals given. The yes of bo does not count: a hotfix needs an owner's."
        " olga can approve."
    )
    assert judge(approval("olga"), rule=rule, approvers="ana bo olga", owners="olga").enough


WEAKER = model.Rule(count=1, weaker=("production would have approvals = 0 instead of 1",))


def test_a_weaker_policy_needs_an_owner_and_a_reason() -> None:
    accepted = "olga must accept that by a yes with a reason."
    for yes in ([approval("bo")], [approval("bo"), approval("olga")]):
        decision = judge(*yes, rule=WEAKER, approvers="ana bo olga", owners="olga")
        assert not decision.enough
        assert decision.sentences[-1] == (
            f"production would have approvals = 0 instead of 1: {accepted}"
        )
    yes = [approval("olga", "We are few.")]
    assert judge(*yes, rule=WEAKER, approvers="ana bo olga", owners="olga").enough


def test_an_owner_who_wrote_a_weaker_policy_accepts_it_only_where_no_other_owner_is() -> None:
    own = [approval("bo"), approval("ana", "We are few.")]
    assert judge(*own, rule=WEAKER, owners="ana").enough
    assert not judge(*own, rule=WEAKER, approvers="ana bo olga", owners="ana olga").enough


PEOPLE = ["ana", "bo", "cy", "di"]


@given(
    st.lists(st.sampled_from(PEOPLE), unique=True),
    st.frozensets(st.sampled_from(PEOPLE)),
    st.frozensets(st.sampled_from(PEOPLE)),
    st.integers(0, 3),
)
def test_only_approvers_count_and_never_an_author_beside_another(
    given: list[str], authors: frozenset[str], approvers: frozenset[str], count: int
) -> None:
    decision = model.enough(
        [approval(person, "a reason") for person in given],
        model.Rule(count=count),
        model.Voters(authors=authors, approvers=approvers, owners=frozenset()),
        ready_since=READY,
        now=LATER,
    )
    assert set(decision.counted) <= approvers
    if approvers - authors:
        assert not set(decision.counted) & authors
    assert decision.enough == (len(decision.counted) >= count)
