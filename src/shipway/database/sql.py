"""Reads SQL as far as migrations need it: where statements end, and what they are. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<dollar> \$(?P<tag>[A-Za-z_]\w*)?\$ .*? \$(?(tag)(?P=tag))\$ )
    | (?P<end> ; )
    | (?P<other> [^;'"$/eE-]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = r'(?:"[^"]+"|[A-Za-z_][\w$]*)'
_TABLE = rf"{_NAME}(?:\s*\.\s*{_NAME})?"

_BEGINS = re.compile(r"\s*(?:begin|start\s+transaction)\b", re.IGNORECASE)
_ENDS = re.compile(
    r"\s*(?:commit|end|abort|rollback(?!\s+(?:work\s+|transaction\s+)?to))\b", re.IGNORECASE
)
_TABLE_OF = re.compile(
    rf"""\s*(?:
        alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?
      | create\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?(?:{_NAME}\s+)?on\s+(?:only\s+)?
      | create\s+(?:(?:global|local)\s+)?(?:temp(?:orary)?\s+|unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?
      | drop\s+table\s+(?:if\s+exists\s+)?
      | truncate\s+(?:table\s+)?(?:only\s+)?
      | update\s+(?:only\s+)?
      | delete\s+from\s+(?:only\s+)?
      | insert\s+into\s+
      | cluster\s+(?:verbose\s+)?
      | vacuum\s+full\s+
      | lock\s+(?:table\s+)?(?:only\s+)?
    )(?P<table>{_TABLE})""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Part:
    """One statement of a text, without what surrounds it. ``offset`` is where it begins."""

    sql: str
    offset: int


def split(text: str) -> tuple[Part, ...]:
    """Return the statements of a text. What stands between quotes ends none; comments stay."""
    parts: list[Part] = []
    begun, holds = 0, False
    for match in _PART.finditer(text):
        if match["end"]:
            _add(parts, text, begun, match.start(), holds=holds)
            begun, holds = match.end(), False
        elif not match["comment"]:
            holds = holds or bool(match[0].strip())
    _add(parts, text, begun, len(text), holds=holds)
    return tuple(parts)


def _add(parts: list[Part], text: str, begun: int, end: int, *, holds: bool) -> None:
    if holds:
        raw = text[begun:end]
        parts.append(Part(raw.strip(), begun + len(raw) - len(raw.lstrip())))


def bare(sql: str) -> str:
    """Return a statement on one line, without comments."""
    kept = (" " if match["comment"] else match[0] for match in _PART.finditer(sql))
    return " ".join("".join(kept).split())


def is_tagged(sql: str, tag: str) -> bool:
    """Whether a statement may be what PostgreSQL calls by this command tag, such as CREATE INDEX."""
    first = bare(sql).upper().split()[:5]
    words = tag.split()
    return first[:1] == words[:1] and all(word in first for word in words)


def table(sql: str) -> str:
    """Return the table that a statement is about, as it is written; "" when that is not clear."""
    found = _TABLE_OF.match(bare(sql))
    return (
        re.sub(r'\s*\.\s*|"', lambda m: "." if "." in m[0] else "", found["table"]) if found else ""
    )


def begins_transaction(sql: str) -> bool:
    return bool(_BEGINS.match(sql))


def ends_transaction(sql: str) -> bool:
    return bool(_ENDS.match(sql))


def pattern(sql: str) -> str:
    """Return a statement with its values left out, to be compared with how statistics show it."""
    text = bare(sql).rstrip("; ").lower()
    return re.sub(r"'(?:[^']|'')*'|\$\d+|\b\d+(?:\.\d+)?\b", "?", text)


def at(text: str, position: int) -> tuple[int, Part] | None:
    """Return the statement of a text in which a position lies, and its number, beginning with 1.

    None for a position before the text, which is how nobody's is told.
    """
    found = [(n, part) for n, part in enumerate(split(text), 1) if part.offset <= position]
    return found[-1] if found else None
