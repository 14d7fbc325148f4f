"""Roles, what each may do, and whether approvals are enough. Pure decisions."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.kit import errors


class Role(enum.StrEnum):
    """Each may do all that the ones before may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    APPROVER = "approver"
    OWNER = "owner"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Action(enum.StrEnum):
    """What a person may want to do, worded to complete "you may not …"."""

    READ = "look at this"
    PUSH = "push"
    CREATE_APP = "create an app"
    CANCEL_RUN = "cancel a run"
    SET_VARIABLE = "set variables here"
    DEPLOY = "deploy or roll back here"
    APPROVE = "approve a release"
    CHANGE_CHANNELS = "change notifications"
    READ_AUDIT = "read the audit trail"
    REMOVE_APP = "remove an app"
    CHANGE_PEOPLE = "change people"


NEEDED: Mapping[Action, Role] = {
    Action.READ: Role.VIEWER,
    Action.PUSH: Role.DEVELOPER,
    Action.CREATE_APP: Role.DEVELOPER,
    Action.CANCEL_RUN: Role.DEVELOPER,
    Action.SET_VARIABLE: Role.DEVELOPER,
    Action.DEPLOY: Role.DEVELOPER,
    Action.APPROVE: Role.APPROVER,
    Action.CHANGE_CHANNELS: Role.APPROVER,
    Action.READ_AUDIT: Role.APPROVER,
    Action.REMOVE_APP: Role.OWNER,
    Action.CHANGE_PEOPLE: Role.OWNER,
}

NEEDED_IN_PRODUCTION: Mapping[Action, Role] = {
    Action.SET_VARIABLE: Role.APPROVER,
    Action.DEPLOY: Role.APPROVER,
}
"""Where production asks for more."""


def needed(action: Action, environment: str = "") -> Role:
    """Return the lowest role that may do this (in that environment)."""
    stricter = NEEDED_IN_PRODUCTION if environment == "production" else {}
    return stricter.get(action, NEEDED[action])


@dataclass(frozen=True)
class Person:
    """Somebody with an account. ``emails`` are those that their commits are authored with."""

    name: str
    role: Role
    emails: tuple[str, ...]
    created: datetime.datetime


@dataclass(frozen=True)
class Token:
    """What is known of a token; the token itself is not kept."""

    id: str
    person: str
    name: str
    created: datetime.datetime
    expires: datetime.datetime | None
    last_used: datetime.datetime | None


@dataclass(frozen=True)
class Caller:
    """Who is asking, known by a token."""

    person: str
    role: Role
    token_id: str

    def must(self, action: Action, environment: str = "") -> None:
        """Raise `errors.Denied`, naming the role that is missing, unless the caller may."""
        role = needed(action, environment)
        if not self.role.includes(role):
            where = f" ({environment})" if environment else ""
            raise errors.Denied(
                f"{self.person} is {_with_article(self.role)} and may not {action}{where}.",
                fix=f"Ask {_with_article(role)}.",
            )


def _with_article(role: Role) -> str:
    return f"an {role}" if role[0] in "ao" else f"a {role}"


@dataclass(frozen=True)
class Approval:
    """A named person's yes to one release in one environment."""

    person: str
    reason: str
    at: datetime.datetime


@dataclass(frozen=True)
class Decision:
    """Whether it is enough, and each reason as a sentence. ``counted`` are whose yes counted."""

    enough: bool
    sentences: tuple[str, ...]
    counted: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return " ".join(self.sentences)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the policy in force asks for. ``own_delay`` is how long an author must have waited
    before their own yes counts, where nobody else could give one."""

    count: int
    approve_own: bool = False
    own_delay: datetime.timedelta = datetime.timedelta(hours=1)


def enough(
    given: Sequence[Approval],
    rule: Rule,
    *,
    authors: frozenset[str],
    approvers: frozenset[str],
    ready_since: datetime.datetime,
    now: datetime.datetime,
) -> Decision:
    """Judge the approvals of one release in one environment.

    ``approvers`` may approve today: the yes of somebody who lost the role counts no more. An
    author's yes counts when the policy says so, else only where there is no other approver,
    after the delay and with a reason.
    """
    notes: list[str] = []
    counted: list[str] = []
    for approval in given:
        objection = _objection(approval, rule, authors, approvers, ready_since, now)
        if objection:
            notes.append(objection)
        else:
            counted.append(approval.person)
    names = ", ".join(counted)
    if len(counted) >= rule.count:
        yes = f"Approved by {names}." if counted else "No approval is needed."
        return Decision(enough=True, sentences=(yes, *notes), counted=tuple(counted))
    lack = f"{len(counted)} of {rule.count} approvals given{f' ({names})' if names else ''}."
    who = _who_could(rule, authors, approvers, frozenset(counted))
    return Decision(enough=False, sentences=(lack, *notes, who), counted=tuple(counted))


def _objection(
    approval: Approval,
    rule: Rule,
    authors: frozenset[str],
    approvers: frozenset[str],
    ready_since: datetime.datetime,
    now: datetime.datetime,
) -> str:
    person = approval.person
    if person not in approvers:
        return f"The yes of {person} does not count: {person} may not approve any more."
    if person not in authors or rule.approve_own:
        return ""
    if others := approvers - authors:
        return f"The yes of {person} does not count: an author, while {_any(others)} could approve."
    if not approval.reason.strip():
        return f"The yes of {person} does not count: an author alone must write a reason."
    if now < (due := ready_since + rule.own_delay):
        return f"The yes of {person}, an author, counts from {due:%Y-%m-%d %H:%M} UTC."
    return ""


def _who_could(
    rule: Rule, authors: frozenset[str], approvers: frozenset[str], counted: frozenset[str]
) -> str:
    left = approvers - counted
    others = left if rule.approve_own else left - authors
    if others:
        return f"{_any(others)} can approve."
    if left and not approvers - authors:
        return f"Only its author {_any(left)} can approve: after a delay, with a reason."
    return "Nobody else may approve: add an approver with `shipway people add`."


def _any(people: frozenset[str]) -> str:
    return " or ".join(sorted(people))
