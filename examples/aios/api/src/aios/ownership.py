"""The questions that notes, tasks and events share. Each one names the owner: there is no other way in."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from aios.models import Account, Owned
from aios.pagination import PageRequest
from aios.problems import ProblemError

Row = TypeVar("Row", bound=Owned)


def list_rows(
    session: Session, kind: type[Row], owner: Account, page: PageRequest, *conditions: ColumnElement[bool]
) -> Sequence[Row]:
    """Return the rows of one page, newest first, and one more when there is a next page."""
    query = select(kind).where(kind.owner_id == owner.id, *conditions)
    if page.cursor is not None:
        query = query.where(kind.id < page.cursor)
    return session.scalars(query.order_by(kind.id.desc()).limit(page.limit + 1)).all()


def find_row(session: Session, kind: type[Row], owner: Account, row_id: int) -> Row:
    """Return a row of this owner; another person's row is as absent as one that never was."""
    row = session.scalar(select(kind).where(kind.owner_id == owner.id, kind.id == row_id))
    if row is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no {kind.__name__.lower()} {row_id}.")
    return row


def add_row(session: Session, row: Row) -> Row:
    """Store a new row and read back what the database filled in."""
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def replace_fields(session: Session, row: Row, values: BaseModel) -> Row:
    """Overwrite the row with a complete new set of values."""
    for name, value in values.model_dump().items():
        setattr(row, name, value)
    session.flush()
    return row
