"""The notes of the signed-in person."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from aios.database import DatabaseSession
from aios.fields import Body, RowId, Title
from aios.models import Note
from aios.ownership import add_row, find_row, list_rows, replace_fields
from aios.pagination import Page, PageQuery
from aios.sessions import SignedIn

router = APIRouter(prefix="/notes", tags=["notes"])


class NoteIn(BaseModel):
    """A note as a person writes it."""

    title: Title
    body: Body = ""


class NoteOut(NoteIn):
    """A note as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime


@router.get("")
def list_notes(account: SignedIn, session: DatabaseSession, page: PageQuery) -> Page[NoteOut]:
    """List notes, newest first."""
    return Page[NoteOut].of(list_rows(session, Note, account, page), page.limit)


@router.post("", status_code=HTTPStatus.CREATED)
def add_note(values: NoteIn, account: SignedIn, session: DatabaseSession) -> NoteOut:
    """Keep a new note."""
    return NoteOut.model_validate(add_row(session, Note(owner_id=account.id, **values.model_dump())))


@router.get("/{note_id}")
def get_note(note_id: RowId, account: SignedIn, session: DatabaseSession) -> NoteOut:
    """Show one note."""
    return NoteOut.model_validate(find_row(session, Note, account, note_id))


@router.put("/{note_id}")
def replace_note(note_id: RowId, values: NoteIn, account: SignedIn, session: DatabaseSession) -> NoteOut:
    """Rewrite a note."""
    note = find_row(session, Note, account, note_id)
    return NoteOut.model_validate(replace_fields(session, note, values))


@router.delete("/{note_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_note(note_id: RowId, account: SignedIn, session: DatabaseSession) -> None:
    """Throw a note away."""
    session.delete(find_row(session, Note, account, note_id))
