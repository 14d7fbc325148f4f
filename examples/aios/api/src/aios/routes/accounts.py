"""Registering and signing in."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from aios.database import DatabaseSession
from aios.fields import Email, Password
from aios.models import Account
from aios.passwords import hash_password, password_matches
from aios.problems import ProblemError
from aios.sessions import SignedIn
from aios.tokens import issue_token

router = APIRouter(tags=["accounts"])


class Credentials(BaseModel):
    """What a person types to register or to sign in."""

    email: Email
    password: Password


class SessionOut(BaseModel):
    """A session: send `token` as a bearer token."""

    token: str
    email: str


class AccountOut(BaseModel):
    """The signed-in account, without anything secret."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str


@router.post("/accounts", status_code=HTTPStatus.CREATED)
def register(credentials: Credentials, session: DatabaseSession, request: Request) -> SessionOut:
    """Create an account and sign it in."""
    # One statement decides, so two people who register one address at the same moment cannot both win.
    account_id = session.scalar(
        insert(Account)
        .values(email=credentials.email, password_hash=hash_password(credentials.password))
        .on_conflict_do_nothing(index_elements=[Account.email])
        .returning(Account.id)
    )
    if account_id is None:
        raise ProblemError(HTTPStatus.CONFLICT, "There is already an account with this e-mail address.")
    return _new_session(request, account_id, credentials.email)


@router.post("/sessions", status_code=HTTPStatus.CREATED)
def sign_in(credentials: Credentials, session: DatabaseSession, request: Request) -> SessionOut:
    """Exchange an e-mail address and a password for a token."""
    account = session.scalar(select(Account).where(Account.email == credentials.email))
    matches = password_matches(credentials.password, account.password_hash if account else None)
    if account is None or not matches:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "The e-mail address or the password is wrong.")
    return _new_session(request, account.id, account.email)


@router.get("/accounts/me")
def me(account: SignedIn) -> AccountOut:
    """Say who is signed in."""
    return AccountOut.model_validate(account)


def _new_session(request: Request, account_id: int, email: str) -> SessionOut:
    return SessionOut(token=issue_token(account_id, request.app.state.settings.jwt_secret), email=email)
