"""Session tokens: JSON Web Tokens signed with `JWT_SECRET`, so that any instance can check them."""

from datetime import UTC, datetime, timedelta

import jwt

ALGORITHM = "HS256"
LIFETIME = timedelta(days=7)


def issue_token(account_id: int, secret: str) -> str:
    """Sign a token for an account."""
    now = datetime.now(UTC)
    claims = {"sub": str(account_id), "iat": now, "exp": now + LIFETIME}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_token(token: str, secret: str) -> int | None:
    """Return the account of a token, or `None` when it is forged, expired or not ours."""
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        return None
    subject: str = claims["sub"]
    return int(subject) if subject.isdecimal() else None
