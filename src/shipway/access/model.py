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
    BACK_UP = "back up or check here"
    RESTORE = "restore a database here"
    APPROVE = "approve a release"
    EMERGENCY = "go past the approvals in an emergency"
    CHANGE_CHANNELS = "change notifications"
    READ_AUDIT = "read the audit trail"
    REMOVE_APP = "remove an app"
    KEEP_HOUSE = "remove what is not needed any more"
    CHANGE_PEOPLE = "change people"


NEEDED: Mapping[Action, Role] = {
    Action.READ: Role.VIEWER,
    Action.PUSH: Role.DEVELOPER,
    Action.CREATE_APP: Role.DEVELOPER,
    Action.CANCEL_RUN: Role.DEVELOPER,
    Action.SET_VARIABLE: Role.DEVELOPER,
    Action.DEPLOY: Role.DEVELOPER,
    Action.BACK_UP: Role.DEVELOPER,
    Action.RESTORE: Role.DEVELOPER,
    Action.APPROVE: Role.APPROVER,
    Action.CHANGE_CHANNELS: Role.APPROVER,
    Action.READ_AUDIT: Role.APPROVER,
    Action.EMERGENCY: Role.OWNER,
    Action.REMOVE_APP: Role.OWNER,
    Action.KEEP_HOUSE: Role.OWNER,
    Action.CHANGE_PEOPLE: Role.OWNER,
}

NEEDED_IN_PRODUCTION: Mapping[Action, Role] = {
    Action.SET_VARIABLE: Role.APPROVER,
    Action.DEPLOY: Role.APPROVER,
    Action.RESTORE: Role.APPROVER,
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
    """A named person's yes to one release in one environment. In an ``emergency`` an owner's
    goes past what else the policy asks for."""

    person: str
    reason: str
    at: datetime.datetime
    emergency: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether it is enough, and each reason as a sentence. ``counted`` are whose yes counted;
    ``due`` is when an author's yes that was given will count."""

    enough: bool
    sentences: tuple[str, ...]
    counted: tuple[str, ...]
    due: datetime.datetime | None = None

    @property
    def sentence(self) -> str:
        return " ".join(self.sentences)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the policy in force asks for. ``own_delay`` is how long an author must have waited
    before their own yes counts, where nobody else could give one.

    With ``by_owner`` only the yes of owners counts. ``weaker`` are the values of the release's
    own policy that are weaker than those in force: an owner has to accept them, with a reason.
    """

    count: int
    approve_own: bool = False
    by_owner: bool = False
    weaker: tuple[str, ...] = ()
    own_delay: datetime.timedelta = datetime.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Voters:
    """Who could say yes today: the yes of somebody who lost the role counts no more."""

    authors: frozenset[str]
    approvers: frozenset[str]
    owners: frozenset[str]


def enough(
    given: Sequence[Approval],
    rule: Rule,
    voters: Voters,
    *,
    ready_since: datetime.datetime,
    now: datetime.datetime,
) -> Decision:
    """Judge the approvals of one release in one environment.

    An author's yes counts when the policy says so, else only where nobody else could give one,
    after the delay and with a reason. An owner's in an emergency is always enough.
    """
    if alone := next((a for a in given if a.emergency and a.person in voters.owners), None):
        passes = f"{alone.person} lets it pass in an emergency, without approvals: {alone.reason}"
        return Decision(enough=True, sentences=(_ended(passes),), counted=(alone.person,))
    voting = _Voting(rule, voters, due=ready_since + rule.own_delay, now=now)
    objections = [voting.objection(approval) for approval in given]
    counted = tuple(a.person for a, no in zip(given, objections, strict=True) if not no)
    notes = tuple(no for no in objections if no)
    accepted = voting.accepts_weaker(given)
    if len(counted) >= rule.count and accepted:
        yes = f"Approved by {', '.join(counted)}." if counted else "No approval is needed."
        return Decision(enough=True, sentences=(yes, *notes), counted=counted)
    lack = f"{len(counted)} of {rule.count} approvals given"
    lack += f" ({', '.join(counted)})." if counted else "."
    who = [voting.who_could(counted)] if len(counted) < rule.count else []
    weaker = [] if accepted else [voting.weakening()]
    return Decision(
        enough=False,
        sentences=(lack, *notes, *who, *weaker),
        counted=counted,
        due=voting.due if any(a.person in voters.authors for a in given) else None,
    )


@dataclass(frozen=True)
class _Voting:
    """A rule, and those who vote by it. An author's own yes counts from ``due`` on."""

    rule: Rule
    voters: Voters
    due: datetime.datetime
    now: datetime.datetime

    @property
    def may(self) -> frozenset[str]:
        return self.voters.owners if self.rule.by_owner else self.voters.approvers

    @property
    def others(self) -> frozenset[str]:
        return self.may - self.voters.authors

    def objection(self, approval: Approval) -> str:
        """Return why a yes does not count, or "" when it does."""
        person = approval.person
        does_not = f"The yes of {person} does not count:"
        if person not in self.voters.approvers:
            return f"{does_not} {person} may not approve any more."
        if person not in self.may:
            return f"{does_not} a hotfix needs an owner's."
        if person in self.voters.authors and not self.rule.approve_own:
            return self._objection_to_author(approval)
        return ""

    def _objection_to_author(self, approval: Approval) -> str:
        person = approval.person
        does_not = f"The yes of {person} does not count:"
        if self.others:
            return f"{does_not} an author, while {_any(self.others)} could approve."
        if not approval.reason.strip():
            return f"{does_not} an author alone must write a reason."
        if self.now < self.due:
            return f"The yes of {person}, an author, counts from {_moment(self.due)}."
        return ""

    def accepts_weaker(self, given: Sequence[Approval]) -> bool:
        """Whether an owner, where there is one no author, has accepted a weaker policy."""
        owners = self.voters.owners
        may = (owners - self.voters.authors) or owners
        return not self.rule.weaker or any(a.person in may and a.reason.strip() for a in given)

    def weakening(self) -> str:
        owners = self.voters.owners
        may = _any((owners - self.voters.authors) or owners) or "an owner"
        return f"{'; '.join(self.rule.weaker)}: {may} must accept that by a yes with a reason."

    def who_could(self, counted: Sequence[str]) -> str:
        left = self.may - frozenset(counted)
        whoever = left if self.rule.approve_own else left - self.voters.authors
        if whoever:
            return f"{_any(whoever)} can approve."
        if left and not self.others:
            since = f": it counts from {_moment(self.due)}" if self.now < self.due else ""
            return f"Only its author {_any(left)} can approve, with a reason{since}."
        role = "owner" if self.rule.by_owner else "approver"
        return f"Nobody else may approve: add an {role} with `shipway people add`."


def _any(people: frozenset[str]) -> str:
    return " or ".join(sorted(people))


def _moment(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
