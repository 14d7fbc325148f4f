"""Pages of rows, newest first.

A page is asked for with `limit` and `cursor`; `next_cursor` of one page is the `cursor` of the next and is
null on the last. The cursor is the last row seen, so rows that arrive meanwhile neither repeat nor hide any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from aios.fields import HIGHEST_ID
from aios.models import Owned

Item = TypeVar("Item", bound=BaseModel)
DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 200


@dataclass(frozen=True)
class PageRequest:
    """Which page the person asks for."""

    limit: Annotated[int, Query(ge=1, le=HIGHEST_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[int | None, Query(ge=1, le=HIGHEST_ID)] = None


class Page(BaseModel, Generic[Item]):
    """One page and the way to the next."""

    items: list[Item]
    next_cursor: int | None

    @classmethod
    def of(cls, rows: Sequence[Owned], limit: int) -> "Page[Item]":
        """Cut a page from up to `limit + 1` rows; the one too many tells that there is a next page."""
        shown = rows[:limit]
        next_cursor = shown[-1].id if len(rows) > limit else None
        return cls.model_validate({"items": shown, "next_cursor": next_cursor}, from_attributes=True)


PageQuery = Annotated[PageRequest, Depends()]
