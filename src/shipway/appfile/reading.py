"""Reading TOML that a stranger may have written: bounded before it is parsed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from shipway.kit import errors

Path = tuple[str | int, ...]

LARGEST = 256 * 1024
LONGEST_LINE = 8 * 1024
"""One line holds one dotted key at most, whose cost grows with the square of its length."""
DEEPEST = 8

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_STATEMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # texts, whole, so that nothing in them counts
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}=\n]"
    r"|[^\"'#\[\]{}=\n]+"
    r"|.",
    re.DOTALL,
)


def read(text: str, where: str) -> dict[str, Any]:
    """Parse TOML. Raises `errors.Invalid` when it is not, or is larger than an honest file."""
    if bound := _bound(text):
        raise _unreadable(where, bound)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise _unreadable(where, _TOO_DEEP) from error
    except ValueError as error:  # besides TOMLDecodeError: a number of thousands of digits
        raise _unreadable(where, _syntax(str(error), text)) from error
    if _deeper_than(document, DEEPEST):
        raise _unreadable(where, _TOO_DEEP)
    return document


_TOO_DEEP = f"it is nested too deeply; no section needs more than {DEEPEST} levels."


def _unreadable(where: str, problem: str) -> errors.Invalid:
    return errors.Invalid(f"{where} cannot be read.", problems=(problem,))


def _bound(text: str) -> str:
    """Return what is too large, or nothing."""
    if len(text.encode(errors="surrogatepass")) > LARGEST:
        return f"it is larger than {LARGEST // 1024} KiB. Move data out of it."
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            return f"line {number}: longer than {LONGEST_LINE} characters. Break it into several."
    return ""


def _syntax(message: str, text: str) -> str:
    """Put the line first, as the other problems do."""
    place = _PLACE.search(message)
    line = (place and place["line"]) or len(text.rstrip().split("\n"))
    what = message[: place.start()] if place else message[:200]
    return f"line {line}: {what}."


def _deeper_than(document: Mapping[str, Any], limit: int) -> bool:
    """Walk without recursion: the depth is what is in doubt."""
    level: list[Any] = [document]
    for _ in range(limit + 1):
        level = [child for value in level for child in _children(value)]
    return bool(level)


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def lines(text: str) -> dict[Path, int]:
    """Return the line on which each table and key of a valid document begins, counted from 1."""
    found: dict[Path, int] = {(): 1}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, head, is_table in _statements(text):
        keys = _keys(head.strip("[] \t\r"))
        if not is_table:
            _note(found, (*table, *keys), number)
            continue
        table = _latest(keys, counts)
        if head.lstrip().startswith("[["):
            counts[table] = counts.get(table, -1) + 1
            _note(found, table, number)
            table = (*table, counts[table])
        _note(found, table, number)
    return found


def _note(found: dict[Path, int], path: Path, number: int) -> None:
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], number)


def _latest(keys: Sequence[str], counts: Mapping[Path, int]) -> Path:
    """Resolve a header below an array of tables to the array's latest table."""
    path: Path = ()
    for index, key in enumerate(keys):
        path = (*path, key)
        if index < len(keys) - 1 and path in counts:
            path = (*path, counts[path])
    return path


def _keys(dotted: str) -> tuple[str, ...]:
    try:
        table: Any = tomllib.loads(f"{dotted} = 0")
    except ValueError:
        return ()
    keys: list[str] = []
    while isinstance(table, dict):
        ((key, table),) = table.items()
        keys.append(key)
    return tuple(keys)


def _statements(text: str) -> list[tuple[int, str, bool]]:
    """Return the line, the key or header, and whether it is a header, of each statement."""
    result: list[tuple[int, str, bool]] = []
    number, start, depth, head, in_value = 1, 1, 0, "", False
    for match in _STATEMENT.finditer(text):
        piece = match[0]
        if piece == "\n" and depth == 0:
            if not in_value and head.strip():
                result.append((start, head, True))
            start, head, in_value = number + 1, "", False
        elif piece == "=" and depth == 0 and not in_value:
            result.append((start, head, False))
            in_value = True
        elif not in_value and not piece.startswith("#"):
            head += piece
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        number += piece.count("\n")
    if not in_value and head.strip():
        result.append((start, head, True))
    return result
