"""The kinds of value that requests carry, with their bounds.

A bound here is a 422 for the person; without it the same value is a 500 from PostgreSQL.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from pydantic_core import PydanticCustomError

HIGHEST_ID = 2**63 - 1
EMAIL = re.compile(r"[^@\s\0]+@[^@\s\0]+\.[^@\s\0]+")


def _without_nul(value: str) -> str:
    """Refuse the one character that PostgreSQL cannot store in text."""
    if "\0" in value:
        raise PydanticCustomError("nul", "Must not contain the NUL character")
    return value


def _with_at_sign(value: str) -> str:
    """Refuse what cannot be an address; whether it is one, only a message to it would tell."""
    if not EMAIL.fullmatch(value):
        raise PydanticCustomError("email", "Must be an e-mail address")
    return value


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_without_nul),
]
Body = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254),
    AfterValidator(_with_at_sign),
]
Password = Annotated[str, StringConstraints(min_length=10, max_length=128)]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]
RowId = Annotated[int, Path(ge=1, le=HIGHEST_ID)]
