"""What is wrong with a `shipway.toml`, each place as one sentence that says what to do."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pydantic

from shipway.appfile.reading import Path
from shipway.kit import errors

MOST = 50
"""A hostile file must not make an answer that is larger than itself."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One place that is wrong. ``found`` is shortened and escaped."""

    path: Path
    found: str
    expected: str
    fix: str

    def sentence(self, line: int) -> str:
        return f"line {line}, {dotted(self.path)}: found {self.found}; expected {self.expected}. {self.fix}"


def dotted(path: Path) -> str:
    """Write a path as a person would: ``tests.fast[0].run``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_short(part)}"
    return text.lstrip(".") or "the file"


def _short(key: str) -> str:
    return key if key.isidentifier() and len(key) <= 64 else shown(key)


def shown(value: Any) -> str:
    """Show a value as TOML would write it, escaped, in at most 60 characters."""
    if isinstance(value, dict):
        return f"a table of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def refusal(where: str, problems: Sequence[Problem], lines: Mapping[Path, int]) -> errors.Invalid:
    """Return the error with all problems, in the order of the file."""
    placed = sorted(((line_of(p.path, lines), p) for p in problems), key=lambda pair: pair[0])
    sentences = [problem.sentence(line) for line, problem in placed[:MOST]]
    if len(placed) > MOST:
        sentences.append(f"and {len(placed) - MOST} more.")
    count = "1 problem" if len(placed) == 1 else f"{len(placed)} problems"
    return errors.Invalid(f"{where} has {count}.", problems=tuple(sentences))


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """Return the line of a path, or of the nearest thing around it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def from_pydantic(
    error: pydantic.ValidationError, keys: Callable[[Path], Iterable[str]]
) -> list[Problem]:
    """Translate what pydantic found; ``keys`` knows which keys a table may have."""
    return [_problem(cast("dict[str, Any]", detail), keys) for detail in error.errors()]


def _problem(detail: dict[str, Any], keys: Callable[[Path], Iterable[str]]) -> Problem:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "unexpected_keyword_argument":
        return unknown_key(path, keys(path[:-1]))
    if detail["type"] == "missing_argument":
        return missing_key(path, keys(path))
    expected, fix = _words(detail)
    return Problem(path=path, found=shown(detail["input"]), expected=expected, fix=fix)


def unknown_key(path: Path, known: Iterable[str]) -> Problem:
    key, choices = str(path[-1]), sorted(known)
    close = difflib.get_close_matches(key, choices, n=1) if len(key) <= 64 else []
    return Problem(
        path=path,
        found="an unknown key",
        expected=f"one of {', '.join(choices)}" if choices else "no such key",
        fix=f"Did you mean {close[0]}?" if close else "Remove it.",
    )


def missing_key(path: Path, _: Iterable[str]) -> Problem:
    return Problem(path=path, found="nothing", expected="a value", fix=f"Add {path[-1]}.")


def _words(detail: dict[str, Any]) -> tuple[str, str]:
    """Return what was expected and the fix."""
    context = detail.get("ctx", {})
    if detail["type"] == "shape":
        return str(context["expected"]), str(context["fix"])
    given = detail["input"]
    if detail["type"] == "tuple_type" and isinstance(given, str):
        return "a list", f"Write {_as_list(given)}."
    template, fix = _SENTENCES.get(detail["type"], ("something else", f"{detail['msg']}."))
    return template.format_map(_Lenient(context)), fix.format_map(_Lenient(context))


def _as_list(text: str) -> str:
    try:
        words = shlex.split(text[:200])
    except ValueError:
        words = text[:200].split()
    return json.dumps(words)


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


_SENTENCES = {
    "string_type": ("text", "Put it in quotation marks."),
    "int_type": ("a whole number", "Write it without quotation marks or a fraction."),
    "bool_type": ("true or false", "Write it without quotation marks."),
    "tuple_type": ("a list", "Put it in square brackets."),
    "dict_type": ("a table", "Write it as a section in square brackets."),
    "mapping_type": ("a table", "Write it as a section in square brackets."),
    "dataclass_type": ("a table", "Write it as a section in square brackets."),
    "dataclass_exact_type": ("a table", "Write it as a section in square brackets."),
    "literal_error": ("{expected}", "Choose one of them."),
    "missing": ("a value", "Add it."),
    "string_too_long": ("at most {max_length} characters", "Shorten it."),
    "string_too_short": ("at least {min_length} character", "Give it a value."),
    "too_long": ("at most {max_length} entries", "Remove some."),
    "too_short": ("at least {min_length} entry", "Add one."),
    "greater_than_equal": ("at least {ge}", "Raise it."),
    "less_than_equal": ("at most {le}", "Lower it."),
}
