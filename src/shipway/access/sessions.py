"""Sessions of the console: who a browser belongs to, and the links that begin one."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from dataclasses import dataclass, field

from shipway.access.model import Caller, Role
from shipway.kit import clock, db, errors, ids

LINK_LIFE = datetime.timedelta(minutes=15)
IDLE = datetime.timedelta(hours=12)
"""A session that is not used for so long is over."""
LIFE = datetime.timedelta(days=7)
"""No session lasts longer."""
CHANGE = datetime.timedelta(minutes=15)
"""The secret in the browser is another one after so long."""
SEEN = datetime.timedelta(minutes=1)
"""Uses are recorded at most so often."""

LONGEST_ABOUT = 200

_SQL = db.queries(__package__)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser that belongs to a person. ``form_key`` is what their forms carry."""

    id: str
    person: str
    role: Role
    form_key: str = field(repr=False)
    about: str
    created: datetime.datetime
    seen: datetime.datetime

    @property
    def caller(self) -> Caller:
        return Caller(self.person, self.role, self.id)


class Sessions:
    """Begun by a link or a password, used by a secret that changes while it is used."""

    def __init__(self, database: db.Database, now: clock.Clock = clock.now) -> None:
        self._db = database
        self._now = now

    async def make_link(self, person: str) -> tuple[str, datetime.datetime]:
        """Return a code that makes whoever uses it first that person, and when it ends."""
        code, expires = secrets.token_urlsafe(24), self._now() + LINK_LIFE
        await self._db.run(_SQL["forget_links"], now=self._now())
        await self._db.run(_SQL["add_link"], digest=_digest(code), person=person, expires=expires)
        return code, expires

    async def whose_link(self, code: str) -> str:
        """Return the person of a link without using it. Raises `errors.Unknown`."""
        row = await self._db.row(_SQL["link"], digest=_digest(code), now=self._now())
        return _person_of(row)

    async def use_link(self, code: str) -> str:
        """Return the person of a link, which is used up. Raises `errors.Unknown`."""
        row = await self._db.row(_SQL["use_link"], digest=_digest(code), now=self._now())
        return _person_of(row)

    async def begin(self, person: str, about: str) -> str:
        """Begin a session and return its secret. ``about`` is what the browser calls itself."""
        secret, now = _secret(), self._now()
        await self._db.run(_SQL["forget_sessions"], **_limits(now))
        await self._db.run(
            _SQL["add_session"],
            id=ids.new("ses"),
            person=person,
            digest=_digest(secret),
            form_key=secrets.token_urlsafe(24),
            about=about[:LONGEST_ABOUT],
            now=now,
        )
        return secret

    async def find(self, secret: str, *, change: bool = False) -> tuple[Session, str]:
        """Return the session of a secret, and the secret from now on.

        It is another one with ``change`` when it is old. Raises `errors.Unknown`.
        """
        now, digest = self._now(), _digest(secret)
        row = await self._db.row(_SQL["session"], digest=digest, **_limits(now))
        if row is None:
            raise errors.Unknown("This session is over.", fix="Sign in again.")
        if change and row["is_current"] and row["changed"] < now - CHANGE:
            new = _secret()
            changed = await self._db.run(
                _SQL["change_secret"], id=row["id"], old=digest, new=_digest(new), now=now
            )
            return _session(row), new if changed else secret
        if row["seen"] < now - SEEN:
            await self._db.run(
                _SQL["see_session"], id=row["id"], is_current=row["is_current"], now=now
            )
        return _session(row), secret

    async def of(self, person: str) -> tuple[Session, ...]:
        """Return the sessions of a person, the one used last first."""
        rows = await self._db.rows(_SQL["sessions"], person=person, **_limits(self._now()))
        return tuple(_session(row) for row in rows)

    async def end(self, person: str, session: str) -> None:
        """Raises `errors.NotFound` when this person has no such session."""
        if not await self._db.run(_SQL["end_session"], id=session, person=person):
            raise errors.NotFound(f"{person} has no session {session[:40]}.")

    async def end_others(self, person: str, keep: str) -> None:
        """End every session of a person but one."""
        await self._db.run(_SQL["end_sessions"], person=person, keep=keep)


def _secret() -> str:
    return secrets.token_urlsafe(32)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _limits(now: datetime.datetime) -> dict[str, datetime.datetime]:
    return {"idle_since": now - IDLE, "born_since": now - LIFE}


def _person_of(row: db.Row | None) -> str:
    if row is None:
        raise errors.Unknown(
            "This link was used before, or is too old.", fix="Get another: `shipway console`."
        )
    return str(row["person"])


def _session(row: db.Row) -> Session:
    known = ("id", "person", "form_key", "about", "created", "seen")
    return Session(role=Role(row["role"]), **{name: row[name] for name in known})
