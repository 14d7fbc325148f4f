"""Databases and schema migrations: the words, and what is decided about them. No I/O."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shipway.database import sql

LOCK_TROUBLE = frozenset({"55P03", "40P01"})
"""The SQLSTATE of a statement that waited longer than ``lock_timeout``, and of a deadlock."""

MOST_STATEMENTS = 1000
"""Of a longer migration only the first ones are kept."""

LONGEST_STATEMENT = 4000
"""In characters; the rest is cut off."""

_SIGNS_OF_LOCK_TROUBLE = (
    *LOCK_TROUBLE,
    "due to lock timeout",
    "LockNotAvailable",
    "deadlock detected",
)
_LOG_LINE = re.compile(r"\[?(DEBUG|INFO|NOTICE|WARN|WARNING|ERROR)\b")


@dataclass(frozen=True, kw_only=True)
class Access:
    """The addresses of an environment's database, passwords included.

    ``owner_url`` may change the schema, ``app_url`` only the rows; ``admin_url`` is a superuser's
    and empty when the database is the provider's, where all of it is the one given address.
    """

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    admin_url: str = field(repr=False)

    @property
    def provided(self) -> bool:
        """Whether somebody else runs this database."""
        return not self.admin_url


@dataclass(frozen=True, kw_only=True)
class Status:
    """How an environment's database does, in a sentence. ``up`` is None when it is the provider's."""

    up: bool | None
    sentence: str


@dataclass(frozen=True)
class Statement:
    """A statement as the server logged it, how long it took, and how long what it locked stayed
    so: until its transaction ended."""

    sql: str
    seconds: float
    locked_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A command that brings the schema of one environment to what a release needs.

    ``cwd`` is relative to the folder of the environment's SERVER owner. ``head_argv`` prints the
    last migration applied. ``version`` is the release's, and ``files`` are its migrations, by their
    SHA-256.
    """

    app: str
    environment: str
    deployment: str
    release: str
    argv: tuple[str, ...]
    head_argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    owner_url: str = field(repr=False)
    version: str = ""
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def restore_point(self) -> str:
        """The name of the moment before it."""
        return f"before {self.deployment}"

    @property
    def tag(self) -> str:
        """The ``application_name`` of its sessions."""
        return f"shipway-migrate:{self.app}:{self.environment}"

    def __str__(self) -> str:
        return f"The migration of {self.app} in {self.environment}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a migration did. Heads are empty for a schema that no migration has touched."""

    before: str
    after: str
    statements: tuple[Statement, ...]
    attempts: int
    seconds: float

    @property
    def sentence(self) -> str:
        if self.before == self.after:
            return f"The schema was already at {self.after or 'its beginning'}."
        tries = f", {self.attempts} attempts" if self.attempts > 1 else ""
        return (
            f"The schema went from {self.before or 'nothing'} to {self.after or 'nothing'}"
            f" in {self.seconds:.1f} s{tries}."
        )


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a migration may wait and run. All in seconds.

    A statement that waits for a lock makes everybody after it wait too, so it gives up early
    and the whole command is tried again after a pause, which doubles each time.
    """

    lock: float = 2.0
    statement: float = 900.0
    command: float = 1800.0
    other_migrator: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    attempts: int = 8

    def pauses(self) -> Iterator[float]:
        """The pauses between the attempts: one fewer than there are attempts."""
        doubling = (self.first_pause * 2**n for n in itertools.count())
        return (min(p, self.longest_pause) for p in itertools.islice(doubling, self.attempts - 1))

    def server_options(self) -> str:
        """The value of ``PGOPTIONS`` that makes libpq's sessions give up in time."""
        return (
            f"-c lock_timeout={round(self.lock * 1000)}"
            f" -c statement_timeout={round(self.statement * 1000)}"
        )


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A record of the server's log. ``sql`` and ``seconds`` only where a statement ended.

    ``at`` is when it was written, in seconds since 1970; ``position`` where in the statement the
    trouble lies, beginning with 1, and 0 where nobody knows.
    """

    user: str
    application: str
    state: str
    severity: str
    message: str
    detail: str
    statement: str
    sql: str = ""
    seconds: float = 0.0
    at: float = 0.0
    pid: int = 0
    position: int = 0


_DURATION = re.compile(
    r"duration: (?P<ms>[\d.]+) ms  (?:statement|execute [^:]*): (?P<sql>.*)", re.DOTALL
)
_HOLDERS = re.compile(r"Process(?:es)? holding the lock: (?P<pids>[\d, ]+)\.")
_NO_CHANGE = re.compile(
    r"\s*(begin|start transaction|commit|end|rollback|savepoint|release|show|set|reset|discard"
    r"|deallocate|select (?:[^;]*\bpg_\w+|[^;]*\binformation_schema\b|current_|version|1\b))",
    re.IGNORECASE,
)


def logged(record: Mapping[str, Any]) -> Logged:
    """Read a record of ``jsonlog`` (PostgreSQL documentation, "Using JSON-Format Log Output")."""
    message = str(record.get("message", ""))
    ended = _DURATION.fullmatch(message)
    return Logged(
        user=str(record.get("user", "")),
        application=str(record.get("application_name", "")),
        state=str(record.get("state_code", "")),
        severity=str(record.get("error_severity", "")),
        message=message,
        detail=str(record.get("detail", "")),
        statement=str(record.get("statement", "")),
        sql=ended["sql"].strip() if ended else "",
        seconds=float(ended["ms"]) / 1000 if ended else 0.0,
        at=_moment(str(record.get("timestamp", ""))),
        pid=int(record.get("pid", 0)),
        position=int(record.get("cursor_position", 0)),
    )


def _moment(written: str) -> float:
    """Read when something was logged: "2026-11-22 14:03:00.123 UTC", the only zone we configure."""
    try:
        return datetime.datetime.fromisoformat(f"{written[:23]}+00:00").timestamp()
    except ValueError:
        return 0.0


def statements(log: Sequence[Logged]) -> tuple[Statement, ...]:
    """Return what changed something, leaving out transaction control and looks at the catalogue."""
    changes = (entry for entry in log if entry.sql and changes_something(entry.sql))
    return tuple(
        Statement(
            entry.sql[:LONGEST_STATEMENT],
            entry.seconds,
            end_of_transaction(log, entry) - entry.at + entry.seconds,
        )
        for entry in itertools.islice(changes, MOST_STATEMENTS)
    )


def changes_something(statement: str) -> bool:
    """Whether a statement is neither transaction control nor a look at the catalogue."""
    return not _NO_CHANGE.match(statement)


def end_of_transaction(log: Sequence[Logged], entry: Logged) -> float:
    """Return when the transaction of a statement ended: with it, unless its session had begun one."""
    own = [one for one in log if one.pid == entry.pid and one.sql]
    here = own.index(entry)
    inside = False
    for one in own[:here]:
        if sql.begins_transaction(one.sql) or sql.ends_transaction(one.sql):
            inside = sql.begins_transaction(one.sql)
    ends = (one.at for one in own[here:] if sql.ends_transaction(one.sql))
    return next(ends, own[-1].at) if inside else entry.at


def last_error(log: Sequence[Logged]) -> Logged | None:
    """Return the error that ended a command, if the server has seen one."""
    found = [entry for entry in log if entry.severity in {"ERROR", "FATAL", "PANIC"}]
    return found[-1] if found else None


def failed_at(log: Sequence[Logged]) -> str:
    """Say at which statement a command failed; "" when the server has seen none fail.

    Tools send whole files as one text. PostgreSQL says where in it something is misspelt, and not
    which statement of it failed otherwise.
    """
    error = last_error(log)
    if error is None or not error.statement:
        return ""
    parts = sql.split(error.statement)
    if len(parts) > 1 and (found := sql.at(error.statement, error.position - 1)):
        number, part = found
        return f" at statement {number} of {len(parts)}, `{shortened(part.sql)}`"
    among = f" one of {len(parts)} statements, beginning with" if len(parts) > 1 else ""
    return f" at{among} `{shortened(error.statement)}`"


def waited_for_lock(log: Sequence[Logged], output: Sequence[str]) -> bool:
    """Decide whether a failed command failed because a lock was not to be had in time.

    The server's log is the better witness; of a provider's database there is only the output.
    """
    if (error := last_error(log)) is not None:
        return error.state in LOCK_TROUBLE
    return any(sign in line for line in output for sign in _SIGNS_OF_LOCK_TROUBLE)


def missed_the_address(output: Sequence[str]) -> bool:
    """Whether a library took no host from the address, and looked where databases usually are."""
    refused = re.compile(r"ECONNREFUSED (?:127\.0\.0\.1|::1):5432|Connection refused.*port 5432")
    return any(refused.search(line) for line in output)


def holders(log: Sequence[Logged]) -> tuple[int, ...]:
    """Return the server processes that held a lock which somebody waited for, newest last."""
    found = (match for entry in log if (match := _HOLDERS.search(entry.detail)))
    pids = [int(pid) for match in found for pid in match["pids"].split(",")]
    return tuple(dict.fromkeys(pids))


def head(lines: Sequence[str]) -> str:
    """Return the schema head that a command printed: the first word of the last line that is
    neither empty nor a line of a log."""
    said = [line.split()[0] for line in lines if line.strip() and not _LOG_LINE.match(line.strip())]
    return said[-1] if said else ""


def shortened(statement: str, length: int = 160) -> str:
    """Return a statement on one line, cut where it gets long."""
    line = " ".join(statement.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
