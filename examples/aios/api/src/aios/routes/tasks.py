"""The tasks of the signed-in person."""

from datetime import date, datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from aios.database import DatabaseSession
from aios.fields import RowId, Title
from aios.models import Task
from aios.ownership import add_row, find_row, list_rows, replace_fields
from aios.pagination import Page, PageQuery
from aios.sessions import SignedIn

router = APIRouter(prefix="/tasks", tags=["tasks"])


class TaskIn(BaseModel):
    """A task as a person writes it."""

    title: Title
    done: bool = False
    due_on: date | None = None


class TaskOut(TaskIn):
    """A task as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime


@router.get("")
def list_tasks(
    account: SignedIn, session: DatabaseSession, page: PageQuery, *, done: bool | None = None
) -> Page[TaskOut]:
    """List tasks, newest first; with `done`, only those that are or are not done."""
    conditions = [] if done is None else [Task.done == done]
    return Page[TaskOut].of(list_rows(session, Task, account, page, *conditions), page.limit)


@router.post("", status_code=HTTPStatus.CREATED)
def add_task(values: TaskIn, account: SignedIn, session: DatabaseSession) -> TaskOut:
    """Keep a new task."""
    return TaskOut.model_validate(add_row(session, Task(owner_id=account.id, **values.model_dump())))


@router.get("/{task_id}")
def get_task(task_id: RowId, account: SignedIn, session: DatabaseSession) -> TaskOut:
    """Show one task."""
    return TaskOut.model_validate(find_row(session, Task, account, task_id))


@router.put("/{task_id}")
def replace_task(task_id: RowId, values: TaskIn, account: SignedIn, session: DatabaseSession) -> TaskOut:
    """Rewrite a task, or tick it off."""
    task = find_row(session, Task, account, task_id)
    return TaskOut.model_validate(replace_fields(session, task, values))


@router.delete("/{task_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_task(task_id: RowId, account: SignedIn, session: DatabaseSession) -> None:
    """Throw a task away."""
    session.delete(find_row(session, Task, account, task_id))
