"""A line of a log as HTML: its colours as classes, everything else as text."""

from __future__ import annotations

import re

import markupsafe

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

_ENDS = {22: "weight", 39: "colour"}
_BEGINS = {1: ("weight", "ansi-bold"), 2: ("weight", "ansi-dim")} | {
    first + place: ("colour", f"ansi-{name}")
    for first in (30, 90)
    for place, name in enumerate(_NAMES)
}


def html(line: str) -> markupsafe.Markup:
    """Return a line with each coloured part in a ``span``. Unknown codes are left out."""
    parts: list[markupsafe.Markup] = []
    classes: dict[str, str] = {}
    end = 0
    for found in _SGR.finditer(line):
        parts.append(_part(line[end : found.start()], classes))
        classes = _after(classes, found[1])
        end = found.end()
    parts.append(_part(line[end:], classes))
    return markupsafe.Markup("").join(parts)


def _part(text: str, classes: dict[str, str]) -> markupsafe.Markup:
    if not text or not classes:
        return markupsafe.escape(text)
    names = " ".join(sorted(classes.values()))
    return markupsafe.Markup('<span class="{}">{}</span>').format(names, text)


def _after(classes: dict[str, str], codes: str) -> dict[str, str]:
    """Return the classes behind a sequence such as ``1;31``."""
    found = dict(classes)
    for code in (int(part or 0) for part in codes.split(";")[:8]):
        if code == 0:
            found = {}
        elif code in _ENDS:
            found.pop(_ENDS[code], None)
        elif code in _BEGINS:
            kind, name = _BEGINS[code]
            found[kind] = name
    return found
