"""Passwords, of which only an argon2id hash is kept."""

from __future__ import annotations

import asyncio
import functools

import nacl.exceptions
import nacl.pwhash

from shipway.kit import db, errors

SHORTEST, LONGEST = 12, 200
AT_ONCE = 2
"""So many are tried at once: each takes 64 MiB and a tenth of a second on purpose."""

_SQL = db.queries(__package__)


class Passwords:
    """A person may have one. Until then links alone begin a session."""

    def __init__(self, database: db.Database) -> None:
        self._db = database
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def has(self, person: str) -> bool:
        return await self._db.row(_SQL["password"], person=person) is not None

    async def set(self, person: str, password: str, *, current: str) -> None:
        """Give a person a password. Raises `errors.Denied` when ``current`` is not the one that
        they have, `errors.Invalid` for one that is too short or too long."""
        if await self.has(person) and not await self.fits(person, current):
            raise errors.Denied("This is not your present password.")
        if not SHORTEST <= len(password) <= LONGEST:
            raise errors.Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
        async with self._turns:
            hashed = await asyncio.to_thread(_hash, password)
        await self._db.run(_SQL["set_password"], person=person, hash=hashed)

    async def fits(self, person: str, password: str) -> bool:
        """Say whether this is the person's password. As slow for somebody who has none."""
        row = await self._db.row(_SQL["password"], person=person)
        async with self._turns:
            hashed = row["hash"] if row else await asyncio.to_thread(_nobodys)
            fits = await asyncio.to_thread(_fits, hashed, password[:LONGEST])
        return fits and row is not None


def _hash(password: str) -> str:
    return nacl.pwhash.argon2id.str(
        password.encode(),
        opslimit=nacl.pwhash.argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=nacl.pwhash.argon2id.MEMLIMIT_INTERACTIVE,
    ).decode()


def _fits(hashed: str, password: str) -> bool:
    try:
        return nacl.pwhash.argon2id.verify(hashed.encode(), password.encode(errors="replace"))
    except nacl.exceptions.InvalidkeyError:
        return False


@functools.cache
def _nobodys() -> str:
    return _hash("nobody has this password")
