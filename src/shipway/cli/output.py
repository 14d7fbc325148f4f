"""Printing: tables and sentences for people, JSON for programs, errors on standard error.

Colours and live displays are for terminals; anything else gets plain lines. NO_COLOR is honoured.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterable, Iterator, Sequence

import click
import pydantic
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shipway.kit import clock, errors

STYLES = {
    "running": "cyan",
    "succeeded": "green",
    "live": "green",
    "ready": "green",
    "open": "green",
    "warm": "yellow",
    "candidate": "yellow",
    "failed": "red",
    "refused": "red",
    "blocked": "red",
    "down": "red",
    "rolled_back": "red",
    "waiting": "yellow",
    "cancelled": "dim",
    "retired": "dim",
}
"""How the states look, wherever they stand."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Output:
    """Where a command prints: ``out`` for what was asked, ``err`` for everything else."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def live(self) -> bool:
        """Whether a person watches, so that lines may be drawn over."""
        return self.out.is_terminal and not self.out.is_dumb_terminal

    def say(self, text: str, style: str = "") -> None:
        self.out.print(harmless(text, style))

    def note(self, text: str) -> None:
        """Say something that is not the answer, so that the answer can be piped on."""
        self.err.print(harmless(text, "dim"))

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Say what goes on in the block; on a terminal, as long as it goes on."""
        if not self.live:
            self.note(text)
            yield
            return
        with self.err.status(Text(text)):
            yield

    def json(self, *answers: pydantic.BaseModel) -> None:
        """Print each answer as one JSON document."""
        for answer in answers:
            # Not through rich, which may change what it prints.
            click.echo(json.dumps(answer.model_dump(mode="json"), indent=2))

    def event(self, event: pydantic.BaseModel) -> None:
        """Print one of a stream of events as a line of JSON, without what it leaves open."""
        click.echo(event.model_dump_json(exclude_defaults=True))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = ""
    ) -> None:
        """Print rows below their columns, or ``empty`` on standard error when there are none."""
        found = [[harmless(cell).plain for cell in row] for row in rows]
        if not found:
            self.note(empty)
        elif self.live:
            self.out.print(_drawn(columns, found), soft_wrap=False)
        else:
            for line in aligned([[column.upper() for column in columns], *found]):
                self.say(line)

    def error(self, error: errors.ShipwayError) -> None:
        """Print what happened, each problem or reason, and what to do next."""
        for line in _told(error):
            self.err.print(Text(harmless(line).plain, style="red"))
        if error.fix:
            self.err.print(harmless(error.fix))


def harmless(text: str, style: str = "") -> Text:
    """Return a text with its colours and without any other control of the terminal.

    Much of what is printed was written by others: logs, branch names, messages of commits.
    """
    return Text.from_ansi(text, style=style)


def state(name: str) -> Text:
    """Return a state in its colour."""
    return Text(name.replace("_", " "), style=STYLES.get(name, ""))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def span(duration: datetime.timedelta) -> str:
    """Return a duration in its two largest units: ``4 min 12 s``; below ten seconds ``3.2 s``."""
    left = duration.total_seconds()
    if left < 10:
        return f"{max(left, 0):.1f} s"
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count and len(parts) < 2:
            parts.append(f"{count:.0f} {unit}")
    return " ".join(parts)


def ago(moment: datetime.datetime | None) -> str:
    """Return how long ago a moment was, in its largest unit; empty for no moment."""
    if moment is None:
        return ""
    passed = (clock.now() - moment).total_seconds()
    for size, unit in _UNITS:
        if passed >= size:
            return f"{passed // size:.0f} {unit} ago"
    return "now"


def _drawn(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(state(cell) if cell in STYLES else Text(cell) for cell in row))
    return table


def _told(error: errors.ShipwayError) -> list[str]:
    if isinstance(error, errors.Invalid):
        return [error.what, *(f"  - {problem}" for problem in error.problems)]
    if isinstance(error, errors.Refused) and len(error.reasons) > 1:
        return ["Refused:", *(f"  - {reason}" for reason in error.reasons)]
    return [error.what]
