"""What the API says about databases and their backups."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from shipway.client.wire import Answer, Moment, Request

_Host = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$")]
_Bucket = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{1,62}$")]
_Path = Annotated[str, pydantic.Field(pattern=r"^/[A-Za-z0-9._/-]{0,200}$")]
_Table = Annotated[str, pydantic.Field(min_length=1, max_length=127)]
_Word = Annotated[str, pydantic.Field(pattern=r"^[!-~]{1,200}$")]


class AskOperation(Request):
    """Have the worker do something about an environment's backups."""

    kind: Literal["backup", "check", "restore", "promote", "bring_back", "discard"]
    full: bool = False
    """Of a backup: one that needs no other."""
    to: Annotated[str, pydantic.Field(max_length=200)] = ""
    """Of a restore: a time, "newest", a release, or "before" and a migration."""
    repository: Annotated[int, pydantic.Field(ge=1, le=2)] | None = None
    """Of a restore: the one to take it from."""
    tables: Annotated[tuple[_Table, ...], pydantic.Field(max_length=100)] = ()
    """To bring rows back into."""
    replace: bool = False
    """Whether the rows that are there go."""


class SetBucket(Request):
    """Where backups go besides the folder: a bucket of the S3 protocol, over TLS.

    ``ca`` are the certificates (PEM) of an authority of its own.
    """

    endpoint: _Host
    bucket: _Bucket
    path: _Path = "/"
    region: _Word = "us-east-1"
    key_id: _Word
    secret: _Word
    ca: Annotated[str, pydantic.Field(max_length=100_000)] = ""


class Result(Answer):
    """What came of one repository."""

    repository: int
    good: bool
    sentence: str


class Operation(Answer):
    """Something done about backups. ``by`` is empty for what the schedule asked for."""

    id: str
    app: str
    environment: str
    kind: str
    arguments: dict[str, Any]
    by: str
    state: Literal["waiting", "running", "succeeded", "failed"]
    sentence: str
    results: tuple[Result, ...]
    created: Moment
    ended: Moment | None


class Backup(Answer):
    """One backup; sizes in bytes. ``broken``: the database had damaged pages."""

    label: str
    kind: str
    began: Moment
    ended: Moment
    size: int
    stored: int
    broken: bool


class Stretch(Answer):
    """Every moment between can be restored."""

    since: Moment
    until: Moment


class Repository(Answer):
    """What a repository held when it was looked at. ``good``: its log is unbroken; ``intact``: its
    checksums hold, None until they were verified."""

    number: int
    name: str
    where: str
    good: bool | None
    sentence: str
    looked: Moment | None
    verified: Moment | None
    intact: bool | None
    complaints: tuple[str, ...]
    exported: Moment | None
    """When somebody took its key to a safe place."""
    reachable: tuple[Stretch, ...]
    backups: tuple[Backup, ...]


class Archiving(Answer):
    """What the live server told last of its archiving."""

    on: bool
    last: str
    last_at: Moment | None
    failed: int
    failed_at: Moment | None


class Difference(Answer):
    """Rows of a table in the live database and in the copy; None: no such table."""

    table: str
    live: int | None
    copy_: int | None = pydantic.Field(alias="copy")


class Copy(Answer):
    """The copy that stands beside the live database, as of the moment that was ``asked`` for."""

    asked: str
    state: str
    repository: int
    backup: str
    target: Moment | None
    newest: Moment | None
    head: str
    differences: tuple[Difference, ...]
    created: Moment


class Preview(Answer):
    """What a restore would do, sentence by sentence."""

    sentences: tuple[str, ...]


class Database(Answer):
    """An environment's database with its backups. ``policy`` is the value of ``backups``;
    ``worries`` are sentences."""

    app: str
    environment: str
    sentence: str
    policy: str
    worries: tuple[str, ...]
    archiving: Archiving | None
    repositories: tuple[Repository, ...]
    recovery: Copy | None
    operations: tuple[Operation, ...]
