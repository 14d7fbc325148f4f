"""People and their tokens."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from shipway.access.model import Caller, Person, Role, Token
from shipway.kit import clock, db, errors, ids

PREFIX = "shp_"
"""Marks a token of Shipway's, for secret scanners and for people."""

FIRST = "owner"
"""The name of the first person."""

_SQL = db.queries(__package__)


class People:
    """Accounts, each with a role, and tokens, of which only the SHA-256 is kept."""

    def __init__(self, database: db.Database, now: clock.Clock = clock.now) -> None:
        self._db = database
        self._now = now

    async def add(self, name: str, role: Role, emails: Iterable[str] = ()) -> Person:
        """Raises `errors.Conflict` when the name is taken."""
        row = await self._db.row(
            _SQL["add_person"], name=name, role=role.value, emails=list(emails)
        )
        if row is None:
            raise errors.Conflict(f"There is already somebody called {name}.")
        return _person(row)

    async def list(self) -> tuple[Person, ...]:
        return tuple(_person(row) for row in await self._db.rows(_SQL["people"]))

    async def get(self, name: str) -> Person:
        """Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["person"], name=name)
        if row is None:
            raise errors.NotFound(f"Nobody is called {name}.", fix="See `shipway people list`.")
        return _person(row)

    async def set_role(self, name: str, role: Role) -> Person:
        """Raises `errors.Refused` when nobody would be owner any more."""
        async with self._db.transaction():
            await self._keep_an_owner(name, unless=role is Role.OWNER)
            await self._db.run(_SQL["set_role"], name=name, role=role.value)
        return await self.get(name)

    async def set_emails(self, name: str, emails: Iterable[str]) -> Person:
        """Say which addresses this person's commits carry."""
        await self._db.run(_SQL["set_emails"], name=name, emails=list(emails))
        return await self.get(name)

    async def remove(self, name: str) -> None:
        """Remove a person and their tokens; what they did stays in the audit trail.

        Raises `errors.Refused` when nobody would be owner any more.
        """
        async with self._db.transaction():
            await self._keep_an_owner(name, unless=False)
            await self._db.run(_SQL["remove_person"], name=name)

    async def _keep_an_owner(self, name: str, *, unless: bool) -> None:
        await self._db.run(_SQL["lock_people"])
        person = await self.get(name)
        if unless or person.role is not Role.OWNER:
            return
        others = await self._db.row(_SQL["other_owners"], name=name)
        if others and not others["count"]:
            raise errors.Refused(
                f"{name} is the only owner.", fix="Make somebody else an owner first."
            )

    async def having(self, role: Role) -> frozenset[str]:
        """Return everybody who has a role, or a higher one."""
        return frozenset(p.name for p in await self.list() if p.role.includes(role))

    async def by_emails(self, emails: Iterable[str]) -> frozenset[str]:
        """Return the people whose commits carry one of these addresses."""
        rows = await self._db.rows(_SQL["people_by_email"], emails=[e.lower() for e in emails])
        return frozenset(row["name"] for row in rows)

    # Tokens

    async def issue_token(
        self, person: str, name: str, expires: datetime.datetime | None = None
    ) -> tuple[Token, str]:
        """Return a new token's record, and the token itself, which nobody can read again."""
        await self.get(person)
        plain = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        row = await self._db.row(
            _SQL["add_token"],
            id=ids.new("tok"),
            person=person,
            name=name,
            digest=_digest(plain),
            expires=expires,
        )
        assert row
        return _token(row), plain

    async def by_token(self, plain: str) -> Caller:
        """Return who holds this token. Raises `errors.Unknown` when nobody does any more."""
        digest = _digest(plain)
        row = await self._db.row(_SQL["token"], digest=digest)
        if row is None or not hmac.compare_digest(row["digest"], digest):
            raise errors.Unknown("This token is not known.", fix="Log in with `shipway login`.")
        now = self._now()
        if row["expires"] and row["expires"] <= now:
            raise errors.Unknown(
                f"The token {row['name']!r} expired on {row['expires']:%Y-%m-%d}.",
                fix="Ask an owner for a new one, or issue one with another token of yours.",
            )
        await self._db.run(_SQL["touch_token"], id=row["id"], now=now)
        return Caller(row["person"], Role(row["role"]), row["id"])

    async def token(self, token_id: str) -> Token:
        row = await self._db.row(_SQL["token_by_id"], id=token_id)
        if row is None:
            raise errors.NotFound(f"There is no token {token_id}.")
        return _token(row)

    async def tokens(self, person: str) -> tuple[Token, ...]:
        return tuple(_token(row) for row in await self._db.rows(_SQL["tokens"], person=person))

    async def revoke(self, person: str, token_id: str) -> None:
        """Raises `errors.NotFound` when this person has no such token."""
        if not await self._db.run(_SQL["revoke_token"], id=token_id, person=person):
            raise errors.NotFound(f"{person} has no token {token_id}.")

    async def first_owner(self, emails: Iterable[str] = ()) -> str | None:
        """Make the first person, an owner, and return their token; None when there is anybody."""
        async with self._db.transaction():
            await self._db.run(_SQL["lock_people"])
            if await self.list():
                return None
            await self.add(FIRST, Role.OWNER, emails)
            _, plain = await self.issue_token(FIRST, "first")
            return plain


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()


def _person(row: db.Row) -> Person:
    return Person(row["name"], Role(row["role"]), tuple(row["emails"]), row["created"])


def _token(row: db.Row) -> Token:
    known = ("id", "person", "name", "created", "expires", "last_used")
    return Token(**{key: row[key] for key in known})
