"""Lines of a log as the items of a list, each with an address of its own."""

from __future__ import annotations

from collections.abc import Iterable

import markupsafe

from shipway.console import ansi

_ITEM = markupsafe.Markup(
    '<li id="L{number}"><a href="#L{number}" tabindex="-1">{number}</a>'
    '<span dir="auto" title="{at}">{text}</span></li>'
)


def items(lines: Iterable[tuple[int, str]]) -> markupsafe.Markup:
    """Return numbered lines, each ``<moment> <text>``, as HTML."""
    made = []
    for number, line in lines:
        at, _, text = line.partition(" ")
        made.append(_ITEM.format(number=number, at=at, text=ansi.html(text)))
    return markupsafe.Markup("").join(made)
