"""What the API says about housekeeping."""

from __future__ import annotations

import datetime

from shipway.client.wire import Answer, Request


class KeepHouse(Request):
    """Ask for housekeeping; with ``dry_run`` for what would go."""

    dry_run: bool = False


class Housekeeping(Answer):
    """One time of housekeeping. ``by`` is empty for the daily one; ``removals`` are sentences."""

    id: str
    by: str
    dry_run: bool
    at: datetime.datetime
    ended: datetime.datetime | None
    sentence: str
    removals: tuple[str, ...]
