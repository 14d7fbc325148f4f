"""Templates, and how times, sizes and states look in them."""

from __future__ import annotations

import datetime
import json
from typing import Any

import jinja2
import markupsafe

from shipway.console import ansi, assets, ranges
from shipway.kit import clock

_STEPS = (
    (60, 1, "s"),
    (3600, 60, "min"),
    (86_400, 3600, "h"),
    (86_400 * 60, 86_400, "days"),
    (86_400 * 730, 86_400 * 30, "months"),
)

_PLURAL = "s"

_TONES = {
    "live": "good", "succeeded": "good", "whole": "good", "ready": "good", "up": "good",
    "done": "good", "delivered": "good", "open": "good",
    "running": "busy", "waiting": "busy", "rolling": "busy", "candidate": "busy",
    "failed": "bad", "refused": "bad", "down": "bad", "given_up": "bad",
    "paused": "warn", "reverted": "warn", "rolled_back": "warn", "closed": "warn",
}  # fmt: skip


def environment() -> jinja2.Environment:
    """Return the templates. What is not marked as HTML is escaped; what is missing is an error."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("shipway.console", "templates"),
                jinja2.PackageLoader("shipway.console", "pages"),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(ago=ago, took=took, size=size, short=short, ansi=ansi.html, lasted=lasted)
    made.filters.update(percent=percent, count=count, pretty=pretty, exact=exact)
    made.globals.update(tone=tone, asset=assets.address, now=clock.now)
    made.globals.update(offered_spans=lambda: ranges.spans(clock.now()))
    return made


def ago(moment: datetime.datetime | None) -> markupsafe.Markup:
    """Return how long ago something was, with the exact moment on hover."""
    if moment is None:
        return markupsafe.Markup('<span class="faint">never</span>')
    return markupsafe.Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        moment.isoformat(timespec="seconds"), exact(moment), since(moment, clock.now())
    )


def since(moment: datetime.datetime, now: datetime.datetime) -> str:
    """Return ``3 min ago``, or ``in 3 min`` for what is to come."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "now"
    text = _length(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def exact(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def took(
    began: datetime.datetime | None, ended: datetime.datetime | None = None
) -> markupsafe.Markup:
    """Return how long something took; of what goes on still, a duration that goes on too."""
    if began is None:
        return markupsafe.Markup("")
    if ended is not None:
        return markupsafe.escape(lasted((ended - began).total_seconds()))
    return markupsafe.Markup('<time datetime="{}" data-since>{}</time>').format(
        began.isoformat(timespec="milliseconds"), lasted((clock.now() - began).total_seconds())
    )


def lasted(seconds: float) -> str:
    """Return ``4.2 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _length(seconds: float) -> str:
    for below, unit, name in _STEPS:
        if seconds < below:
            number = int(seconds // unit)
            return f"{number} {name.removesuffix(_PLURAL) if number == 1 and unit > 3600 else name}"
    return f"{int(seconds // (86_400 * 365))} years"


def size(number: int) -> str:
    """Return ``812 B``, ``3.4 kB`` or ``1.2 MB``."""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError


def percent(part: float, whole: float) -> str:
    """Return a share as people read it: ``0.3 %``, ``12 %``."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 1 or 99 < share < 100 else f"{share:.0f} %"


def count(number: int, one: str, many: str = "") -> str:
    """Return ``1 commit``, ``3 commits``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(text: str, length: int = 12) -> str:
    """Return the beginning of a digest or commit."""
    return text[:length]


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def tone(state: str) -> str:
    """Return how a state feels: good, busy, warn, bad or quiet."""
    return _TONES.get(state, "quiet")
