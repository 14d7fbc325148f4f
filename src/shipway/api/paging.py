"""Pages: as many items as asked for, and a cursor for those behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import fastapi

from shipway.client import wire
from shipway.kit import errors

Item = TypeVar("Item")

Limit = Annotated[int, fastapi.Query(ge=1, le=200)]
After = Annotated[str, fastapi.Query(max_length=200)]


def page(items: Sequence[Item], limit: int, cursors: Sequence[str]) -> wire.Page[Item]:
    """Return a page of ``limit`` items; there is a next one when more than that were found."""
    more = len(items) > limit
    return wire.Page(items=tuple(items[:limit]), next=cursors[limit - 1] if more else "")


def number(after: str) -> int | None:
    """Return the cursor of a list that is sorted by numbers. Raises `errors.Invalid`."""
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise errors.Invalid(f"{after!r} is not a cursor of this list.")
    return int(after)
