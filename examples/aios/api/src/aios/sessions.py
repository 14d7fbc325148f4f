"""Who is asking: the account behind the bearer token."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from aios.database import DatabaseSession
from aios.models import Account
from aios.problems import ProblemError
from aios.tokens import read_token

BEARER = HTTPBearer(auto_error=False, description="The token that sign-in returned")


def require_account(
    request: Request,
    session: DatabaseSession,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Account:
    """Return the signed-in account, or refuse."""
    account_id = (
        read_token(credentials.credentials, request.app.state.settings.jwt_secret) if credentials else None
    )
    account = session.get(Account, account_id) if account_id is not None else None
    if account is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return account


SignedIn = Annotated[Account, Depends(require_account)]
