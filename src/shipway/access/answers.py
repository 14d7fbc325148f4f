"""Answers kept by idempotency key, so that a request which is sent twice acts once.

As in the IETF draft "The Idempotency-Key HTTP Header Field": the same key with another request
is refused, and so is one whose first request has not been answered yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from shipway.kit import db, errors

_SQL = db.queries(__package__)


@dataclass(frozen=True)
class Answer:
    """What was answered. ``body`` is None where it held a secret, which is not kept."""

    status: int
    body: bytes | None


class Answers:
    """Kept for a day."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def begin(self, person: str, key: str, request: bytes) -> Answer | None:
        """Claim a key for a request (given as its digest); return the answer if it has one.

        Raises `errors.Conflict` when the request is being answered right now, and
        `errors.Invalid` when the key belongs to another request.
        """
        await self._db.run(_SQL["forget_answers"])
        if await self._db.row(_SQL["begin_answer"], person=person, key=key, request=request):
            return None
        row = await self._db.row(_SQL["answer"], person=person, key=key)
        if row is None or (row["status"] is None and row["request"] == request):
            raise errors.Conflict("The same request is being answered right now.")
        if row["request"] != request:
            raise errors.Invalid("This idempotency key was used for another request.")
        return Answer(row["status"], row["body"])

    async def keep(self, person: str, key: str, answer: Answer) -> None:
        await self._db.run(
            _SQL["keep_answer"], person=person, key=key, status=answer.status, body=answer.body
        )

    async def drop(self, person: str, key: str) -> None:
        """Free a key whose request did not succeed, so that it can be tried again."""
        await self._db.run(_SQL["drop_answer"], person=person, key=key)
