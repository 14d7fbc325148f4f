"""What is known to be dangerous in a migration, before anybody has measured it. Pure.

Squawk's findings and our own become one list, in our words: the statement, the lock, why that is
dangerous, and the safer way to write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shipway.database import sql
from shipway.database.model import shortened

ACCESS_EXCLUSIVE, SHARE = "ACCESS EXCLUSIVE", "SHARE"
SHARE_ROW_EXCLUSIVE, ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE", "ROW EXCLUSIVE"

_BATCHES = "Change it in batches of a few thousand rows, each committed by itself."
_NEW_COLUMN = (
    "Add a new column, write to both, copy the rows in batches, and drop the old one when no"
    " release reads it."
)
_LATER = (
    "Let a release go live first that does not use it, and make this change with the release after."
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``breaks``: releases that run may need what it takes away; otherwise it keeps others waiting."""

    lock: str
    why: str
    safer: str
    breaks: bool = False


RULES: Mapping[str, Rule] = {
    "index": Rule(
        lock=SHARE,
        why="nobody can write while the index is built",
        safer="Write `create index concurrently`, outside a transaction.",
    ),
    "index drop": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read or write, and it waits for all who do",
        safer="Write `drop index concurrently`, outside a transaction.",
    ),
    "volatile default": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="each row gets a value of its own, so the whole table is written anew meanwhile",
        safer="Add the column without a default, set the default, and fill the rows in batches.",
    ),
    "required column": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="it fails as soon as there is a row, and releases that run do not fill the column",
        safer="Add it with a constant default, or without NOT NULL.",
        breaks=True,
    ),
    "type": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="the whole table may be written anew, with its indexes",
        safer=_NEW_COLUMN,
    ),
    "not null": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="every row is looked at meanwhile",
        safer=(
            "Add `check (… is not null) not valid`, validate it in a transaction of its own, then"
            " set NOT NULL and drop the check."
        ),
    ),
    "foreign key": Rule(
        lock=SHARE_ROW_EXCLUSIVE,
        why="nobody can write to either table while every row is looked at",
        safer="Add it `not valid`, and `validate constraint` in a transaction of its own.",
    ),
    "check": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read or write while every row is looked at",
        safer="Add it `not valid`, and `validate constraint` in a transaction of its own.",
    ),
    "unique": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read or write while its index is built",
        safer=(
            "Write `create unique index concurrently`, then `add constraint … unique using index`."
        ),
    ),
    "column drop": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="a release that still reads the column fails",
        safer=_LATER,
        breaks=True,
    ),
    "table drop": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="a release that still uses the table fails",
        safer=_LATER,
        breaks=True,
    ),
    "rename": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="a release that still uses the old name fails",
        safer=_NEW_COLUMN,
        breaks=True,
    ),
    "backfill": Rule(
        lock=ROW_EXCLUSIVE,
        why="whoever writes to one of these rows waits until all of it is committed",
        safer=_BATCHES,
    ),
    "rewrite": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read or write while the table is written anew",
        safer="Leave this to a time at which nobody needs the table, or to pg_repack.",
    ),
    "truncate": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read or write, and every row is gone",
        safer=_LATER,
        breaks=True,
    ),
    "reindex": Rule(
        lock=SHARE,
        why="nobody can write while the index is built",
        safer="Write `reindex … concurrently`, outside a transaction.",
    ),
    "refresh": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="nobody can read the view while it is filled",
        safer="Give it a unique index, and write `refresh materialized view concurrently`.",
    ),
    "lock": Rule(
        lock=ACCESS_EXCLUSIVE,
        why="others wait until the transaction ends",
        safer="Take a weaker lock, or none.",
    ),
}

_VOLATILE = (
    r"(?:gen_random_uuid|uuid_generate_v\w+|uuidv\w+|random|clock_timestamp|timeofday|nextval)\s*\("
)
_ADDS_COLUMN = (
    r"\badd\s+(?:column\s+)?(?!constraint\b|primary\b|unique\b|foreign\b|check\b|exclude\b)"
)

_ALTER = r"alter\s+table\b.*\b"
_CONSTRAINT = rf"{_ALTER}add\s+(?:constraint\s+\S+\s+)?"
_NOT_A_COLUMN = r"(?!constraint\b|default\b|not\b|identity\b|expression\b)"
_HAS_ITS_OWN = (
    rf"\bdefault\s+\(*{_VOLATILE}|\b(?:small|big)?serial\b|\bgenerated\s+always\s+as\s*\("
)
_FILLED = r"\b(?:default|generated|smallserial|serial|bigserial)\b"

_OWN: Mapping[str, str] = {
    "index": r"create\s+(?:unique\s+)?index\s+(?!concurrently\b)",
    "index drop": r"drop\s+index\s+(?!concurrently\b)",
    "volatile default": rf"alter\s+table\b.*{_ADDS_COLUMN}[^,]*(?:{_HAS_ITS_OWN})",
    "required column": (rf"alter\s+table\b.*{_ADDS_COLUMN}(?![^,]*{_FILLED})[^,]*\bnot\s+null\b"),
    "type": rf"{_ALTER}alter\s+(?:column\s+)?\S+\s+(?:set\s+data\s+)?type\b",
    "not null": rf"{_ALTER}alter\s+(?:column\s+)?\S+\s+set\s+not\s+null\b",
    "foreign key": rf"{_CONSTRAINT}foreign\s+key\b(?!.*\bnot\s+valid\b)",
    "check": rf"{_CONSTRAINT}check\b(?!.*\bnot\s+valid\b)",
    "unique": rf"{_CONSTRAINT}(?:unique|primary\s+key)\b(?!\s+using\s+index\b)",
    "column drop": rf"{_ALTER}drop\s+(?:column\s+)?{_NOT_A_COLUMN}\S",
    "table drop": r"drop\s+table\b",
    "rename": rf"{_ALTER}rename\b(?!\s+constraint\b)",
    "backfill": r"(?:update|delete)\b",
    "rewrite": r"(?:vacuum\s+(?:\(.*\bfull\b|full\b)|cluster\b)",
    "truncate": r"truncate\b",
    "reindex": r"reindex\b(?!.*\bconcurrently\b)",
    "refresh": r"refresh\s+materialized\s+view\s+(?!concurrently\b)",
    "lock": r"lock\b",
}
"""How we know each rule's statements, from their beginning, on one line and without comments."""

SQUAWK: Mapping[str, str] = {
    "require-concurrent-index-creation": "index",
    "require-concurrent-index-deletion": "index drop",
    "require-concurrent-reindex": "reindex",
    "adding-field-with-default": "volatile default",
    "adding-required-field": "required column",
    "adding-not-nullable-field": "not null",
    "adding-serial-primary-key-field": "unique",
    "changing-column-type": "type",
    "adding-foreign-key-constraint": "foreign key",
    "disallowed-unique-constraint": "unique",
    "ban-drop-column": "column drop",
    "ban-drop-table": "table drop",
    "renaming-column": "rename",
    "renaming-table": "rename",
}
"""Squawk's names of what we have words for."""

_NOT_DANGEROUS = re.compile(
    r"prefer-|require-.*timeout|ban-char|ban-drop-not-null|constraint-missing"
)
"""Squawk's rules that are about taste, that Shipway obeys itself, or that one above says better."""


@dataclass(frozen=True)
class Seen:
    """What Squawk has found: its rule, in which statement, and its own words."""

    rule: str
    index: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A statement that may be dangerous. ``table`` is as it is written there."""

    rule: str
    statement: str
    table: str
    lock: str
    why: str
    safer: str
    breaks: bool = False

    @property
    def sentence(self) -> str:
        where = f" on {self.table}" if self.table else ""
        lock = f" takes {self.lock}{where}:" if self.lock else ":"
        return f"`{shortened(self.statement, 120)}`{lock} {self.why}. {self.safer}".strip()


def findings(
    statements: Sequence[str], seen: Sequence[Seen], exists: Callable[[str], bool]
) -> tuple[Finding, ...]:
    """Return what is dangerous about statements, in their order.

    ``exists`` tells whether a table is there before the migration: what happens to one that it
    makes itself keeps nobody waiting. A statement without a table that we know is judged.
    """
    found: list[Finding] = []
    for index, statement in enumerate(statements):
        table = sql.table(statement)
        if table and not exists(table):
            continue
        rules = dict.fromkeys(_rules(statement))
        for one in (one for one in seen if one.index == index):
            if name := SQUAWK.get(one.rule):
                rules.setdefault(name)
            elif not _NOT_DANGEROUS.match(one.rule):
                found.append(_in_their_words(statement, table, one))
        found += [_in_ours(statement, table, name) for name in rules]
    return tuple(found)


def _rules(statement: str) -> Iterator[str]:
    text = sql.bare(statement)
    yield from (name for name, pattern in _OWN.items() if re.match(pattern, text, re.IGNORECASE))


def _in_ours(statement: str, table: str, name: str) -> Finding:
    rule = RULES[name]
    return Finding(
        rule=name,
        statement=statement,
        table=table,
        lock=rule.lock,
        why=rule.why,
        safer=rule.safer,
        breaks=rule.breaks,
    )


def _in_their_words(statement: str, table: str, one: Seen) -> Finding:
    why, _, safer = one.words.partition("\n")
    return Finding(
        rule=f"squawk {one.rule}",
        statement=statement,
        table=table,
        lock="",
        why=why.rstrip("."),
        safer=safer,
    )
