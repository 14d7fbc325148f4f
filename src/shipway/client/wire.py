"""Every request and response of the API. The server answers with these; the client reads them.

Answers ignore fields that they do not know, so that an older client can read a newer server;
requests refuse them, so that a misspelt field is not lost in silence.
"""

from __future__ import annotations

import datetime
from typing import Any, Generic, Literal, TypeVar

import pydantic

Moment = datetime.datetime
"""Always in UTC."""

RoleName = Literal["viewer", "developer", "approver", "owner"]
VariableKind = Literal["secret", "plain", "public"]
ChannelKind = Literal["webhook", "email"]


class Answer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")


class Request(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    """Some of the items. ``next`` goes into ``?after=`` to get more, and is empty at the end."""

    items: tuple[Item, ...]
    next: str = ""


class Problem(Answer):
    """RFC 9457 problem details, sent as ``application/problem+json``."""

    type: str = "about:blank"
    title: str
    """invalid, refused, denied, unknown, not found, conflict, unavailable or failed."""
    status: int
    detail: str
    """What happened to what, as a sentence."""
    fix: str = ""
    """What to do next."""
    problems: tuple[str, ...] = ()
    """Each thing that is wrong, or each reason for saying no."""


class Said(Answer):
    """A decision, as the sentence that the log, the console and the person see."""

    sentence: str


class Token(Answer):
    """A token as it may be shown. The token itself is shown once, when it is issued."""

    id: str
    name: str
    created: Moment
    expires: Moment | None
    last_used: Moment | None


class IssuedToken(Token):
    plain: str
    """``shp_…``. Nobody can be told again."""


class IssueToken(Request):
    name: str = pydantic.Field(min_length=1, max_length=80)
    expires_days: int | None = pydantic.Field(default=90, ge=1, le=3650)
    """None: never."""


class Person(Answer):
    name: str
    role: RoleName
    emails: tuple[str, ...]
    """Addresses under which this person's commits are authored."""
    created: Moment


class AddPerson(Request):
    name: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")
    role: RoleName
    emails: tuple[str, ...] = ()


class ChangePerson(Request):
    """What is None stays as it is."""

    role: RoleName | None = None
    emails: tuple[str, ...] | None = None


class Me(Answer):
    person: str
    role: RoleName
    token: Token


class AuditEntry(Answer):
    """One thing that somebody did. Entries are added, never changed."""

    id: int
    at: Moment
    who: str
    what: str
    """A verb and its object, such as ``app.create``."""
    target: str
    detail: dict[str, Any]


class App(Answer):
    name: str
    created: Moment
    created_by: str
    git_url: str
    """The remote to push to. The password is a token; the user name is ignored."""
    accepted: str
    """The commit of main whose shipway.toml is in force; empty before the first push."""
    environments: tuple[str, ...]


class CreateApp(Request):
    name: str = pydantic.Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")


class Instance(Answer):
    id: str
    release: str
    """The release's version, or its identifier when the version is not known."""
    address: str
    """host:port, on this machine."""
    alive: bool


class Variable(Answer):
    name: str
    kind: VariableKind
    value: str | None
    """None for a secret: nobody is shown one."""
    source: str
    """Where the value comes from: set, file, default, generated, provided, missing."""
    description: str = ""
    required: bool = False
    set_by: str = ""
    set_at: Moment | None = None


class SetVariable(Request):
    value: str = pydantic.Field(max_length=64 * 1024)
    kind: VariableKind | None = None
    """None: the kind that shipway.toml declares, else secret."""


class Difference(Answer):
    """One variable that two environments do not share. Secrets are compared, never shown."""

    name: str
    kind: VariableKind
    left: str | None
    right: str | None
    sentence: str


class Step(Answer):
    name: str
    state: str
    """waiting, running, succeeded, failed, cancelled."""
    cached: bool
    started: Moment | None
    ended: Moment | None
    sentence: str


class Run(Answer):
    id: str
    app: str
    branch: str
    commit: str
    kind: str
    """full on main, hotfix on hotfix/…, fast elsewhere."""
    state: str
    """waiting, running, succeeded, failed, refused, cancelled."""
    pushed_by: str
    started: Moment
    ended: Moment | None
    sentence: str

    @property
    def over(self) -> bool:
        return self.state not in {"waiting", "running"}


class RunWithSteps(Run):
    steps: tuple[Step, ...]


class Event(Answer):
    """One line of ``GET /v1/runs/{run}/events`` (NDJSON).

    ``cursor`` is opaque: given back as ``?after=``, the stream goes on behind this event. Events
    that belong together carry it on the last of them only. The stream ends when the run does.
    """

    kind: Literal["run", "step", "log", "beat"]
    """A beat says only that the stream is alive."""
    cursor: str = ""
    run: Run | None = None
    step: Step | None = None
    name: str = ""
    """The step that a log line belongs to."""
    line: str = ""


class Gate(Answer):
    """One condition that a deployment must meet, as it was last judged."""

    name: str
    environment: str
    open: bool
    sentence: str
    evidence: dict[str, Any]
    at: Moment


class Deployment(Answer):
    id: str
    app: str
    environment: str
    release: str
    version: str
    kind: str = "deploy"
    """deploy or rollback."""
    state: str
    """waiting, running, live, warm, retired, failed, rolled_back."""
    by: str
    reason: str = ""
    started: Moment
    ended: Moment | None
    sentence: str
    watch: str = ""
    """Why it is watched closely; empty: it is not."""
    watched_until: Moment | None = None
    withdrawn: str = ""
    """Why somebody ended it before it was live."""

    @property
    def over(self) -> bool:
        return self.state not in {"waiting", "running"}


class Release(Answer):
    id: str
    app: str
    version: str
    number: int
    commit: str
    schema_head: str
    branch: str = "main"
    """Whose push made it."""
    state: str
    """candidate, ready, refused."""
    created: Moment
    artifacts: dict[str, str]
    """Name to SHA-256."""


class Approval(Answer):
    person: str
    at: Moment
    reason: str
    emergency: bool = False
    """Whether it went past what else the policy asks for."""


class ReleaseInFull(Release):
    changelog: str
    gates: tuple[Gate, ...]
    approvals: dict[str, tuple[Approval, ...]]
    """By environment."""
    deployments: tuple[Deployment, ...]


class Approve(Request):
    release: str = ""
    """A version or identifier; empty: the one release that waits."""
    reason: str = pydantic.Field(default="", max_length=2000)
    emergency: bool = False
    """An owner's yes alone, with a reason: the policy's approvals are not waited for."""


class RollBack(Request):
    to: str = ""
    """A version or identifier; empty: the release before the live one."""
    reason: str = pydantic.Field(default="", max_length=2000)


class Deploy(Request):
    release: str
    reason: str = pydantic.Field(default="", max_length=2000)


class Waiting(Answer):
    release: str
    version: str
    sentence: str


class Environment(Answer):
    app: str
    name: str
    addresses: tuple[str, ...]
    """https://… of the domain and of the server."""
    live: Deployment | None
    waiting: tuple[Waiting, ...] = ()
    """Releases that are ready and wait for approval here."""
    instances: tuple[Instance, ...]
    policy: dict[str, Any]
    """What is in force: that of the live release. Only what some part of Shipway enforces."""
    next_policy: dict[str, Any] = {}
    """The values that differ in the newest shipway.toml of main: they come with its release."""
    weaker: tuple[str, ...]
    """Each value that is weaker than the default, with its written reason."""
    database: str
    """A sentence: whose it is, and whether it answers."""
    missing: tuple[str, ...]
    """Required variables that have no value."""
    variables: tuple[Variable, ...]


class AddChannel(Request):
    kind: ChannelKind
    target: str = pydantic.Field(max_length=2000)
    """An http(s) URL, or an e-mail address."""


class Channel(Answer):
    id: str
    app: str
    kind: ChannelKind
    target: str
    created: Moment


class AddedChannel(Channel):
    secret: str
    """The key of a webhook's signature; empty for e-mail. Shown once."""


class Delivery(Answer):
    """A notification on its way to one channel."""

    event: str
    subject: str
    sentence: str
    channel: str
    state: str
    """waiting, delivered, given_up."""
    attempts: int
    last_error: str
    at: Moment
