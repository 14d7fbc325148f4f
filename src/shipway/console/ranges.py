"""Parts of time that an address names, so that what somebody sees can be sent to others."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.kit import errors

DAY = datetime.timedelta(days=1)
LONGEST = 40

SPANS: Sequence[tuple[str, int]] = (("7 days", 7), ("30 days", 30), ("90 days", 90))
"""What a page offers with one click: its name, and how many days it goes back."""


@dataclass(frozen=True)
class Range:
    """What lies from ``since`` on and before ``until``; ``first`` and ``last`` as the address
    says it."""

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    first: str = ""
    last: str = ""

    @property
    def is_all(self) -> bool:
        return not (self.first or self.last)


def of(query: Mapping[str, str]) -> Range:
    """Return the part of time that is asked for by ``from`` and ``to``: days, which belong to it
    whole, or moments; in UTC unless they say otherwise. Raises `errors.Invalid`."""
    first, last = (query.get(name, "").strip()[:LONGEST] for name in ("from", "to"))
    since, until = _moment(first), _moment(last)
    if until is not None and _is_day(last):
        until += DAY
    return Range(since, until, first, last)


def spans(now: datetime.datetime) -> Sequence[tuple[str, str]]:
    """Return what is offered with one click, each with the day on which it begins: a link that is
    sent to somebody shows them the same next week."""
    return [(name, f"{now - (days - 1) * DAY:%Y-%m-%d}") for name, days in SPANS]


def _moment(text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
        aware = found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
        # At the ends of the calendar, other time zones and the day after are out of it.
        return aware.astimezone(datetime.UTC) + DAY - DAY
    except (ValueError, OverflowError) as error:
        raise errors.Invalid(
            f"{text!r} is no day such as 2026-11-23, and no moment such as 2026-11-23T12:00."
        ) from error


def _is_day(text: str) -> bool:
    return "T" not in text and " " not in text
