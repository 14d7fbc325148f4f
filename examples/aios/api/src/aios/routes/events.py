"""The calendar of the signed-in person."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from aios.database import DatabaseSession
from aios.fields import Moment, RowId, Title
from aios.models import Event
from aios.ownership import add_row, find_row, list_rows, replace_fields
from aios.pagination import Page, PageQuery
from aios.sessions import SignedIn

router = APIRouter(prefix="/events", tags=["events"])


class EventIn(BaseModel):
    """An event as a person writes it."""

    title: Title
    starts_at: Moment
    ends_at: Moment

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.ends_at < self.starts_at:
            raise PydanticCustomError("order", "An event cannot end before it starts")
        return self


class EventOut(EventIn):
    """An event as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime


@router.get("")
def list_events(
    account: SignedIn,
    session: DatabaseSession,
    page: PageQuery,
    since: Annotated[Moment | None, Query(description="Leave out events that ended before")] = None,
    until: Annotated[Moment | None, Query(description="Leave out events that start at or after")] = None,
) -> Page[EventOut]:
    """List events, newest first; with `since` and `until`, those that touch that stretch of time."""
    conditions = []
    if since is not None:
        conditions.append(Event.ends_at >= since)
    if until is not None:
        conditions.append(Event.starts_at < until)
    return Page[EventOut].of(list_rows(session, Event, account, page, *conditions), page.limit)


@router.post("", status_code=HTTPStatus.CREATED)
def add_event(values: EventIn, account: SignedIn, session: DatabaseSession) -> EventOut:
    """Enter a new event."""
    return EventOut.model_validate(add_row(session, Event(owner_id=account.id, **values.model_dump())))


@router.get("/{event_id}")
def get_event(event_id: RowId, account: SignedIn, session: DatabaseSession) -> EventOut:
    """Show one event."""
    return EventOut.model_validate(find_row(session, Event, account, event_id))


@router.put("/{event_id}")
def replace_event(event_id: RowId, values: EventIn, account: SignedIn, session: DatabaseSession) -> EventOut:
    """Rewrite an event."""
    event = find_row(session, Event, account, event_id)
    return EventOut.model_validate(replace_fields(session, event, values))


@router.delete("/{event_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_event(event_id: RowId, account: SignedIn, session: DatabaseSession) -> None:
    """Throw an event away."""
    session.delete(find_row(session, Event, account, event_id))
