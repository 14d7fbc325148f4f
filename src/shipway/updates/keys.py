"""The keys that updates are signed with. Only the worker can use them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shipway.environments.vault import Vault
from shipway.kit import clock, command, db, errors
from shipway.updates import signing
from shipway.updates.model import Signed

FIRST = "main"
"""The id of an app's first key, which Expo's own tools use too."""

SIGNING_SECONDS = 60.0

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SQL = db.queries(__package__)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key. ``chain`` holds the PEM certificates between the leaf and the root, leaf first, or
    "". Without ``sealed`` a command of this machine signs with it."""

    app: str
    id: str
    certificate: str
    chain: str
    created: datetime.datetime
    retired: datetime.datetime | None
    sealed: bytes | None = field(repr=False)


class Keys:
    """Keys on record. ``external`` is the command that signs for keys which are kept elsewhere:
    it is given the key's id, reads the bytes, and writes the signature in base64."""

    def __init__(
        self,
        database: db.Database,
        vault: Vault,
        *,
        external: tuple[str, ...] = (),
        now: clock.Clock = clock.now,
    ) -> None:
        self._db = database
        self._vault = vault
        self._external = external
        self._now = now

    async def all(self, app: str) -> Sequence[Key]:
        """Return the keys of an app, oldest first, retired ones included."""
        return [Key(**row) for row in await self._db.rows(_SQL["keys"], app=app)]

    async def in_use(self, app: str) -> Sequence[Key]:
        return [key for key in await self.all(app) if key.retired is None]

    async def get(self, app: str, id: str = "") -> Key:  # noqa: A002 -- the key's own
        """Return a key, or the newest in use. Raises `errors.NotFound`."""
        for key in reversed(await self.all(app)):
            if key.id == id or (not id and key.retired is None):
                return key
        raise errors.NotFound(
            f"{app} has no key {id}." if id else f"{app} has no key for its updates.",
            fix="`shipway update keys create` makes one.",
        )

    async def ensure(self, app: str) -> Sequence[Key]:
        """Return the keys in use, after making the first one when there is none."""
        if not (found := await self.in_use(app)):
            with contextlib.suppress(errors.Conflict):  # Another publish was faster.
                await self.create(app, FIRST)
            found = await self.in_use(app)
        return found

    async def create(self, app: str, id: str) -> Key:  # noqa: A002 -- the key's own
        """Make a key and its certificate; the private half is sealed at once. Raises
        `errors.Conflict` when the id is taken."""
        private, certificate = await asyncio.to_thread(
            signing.make, f"{app} updates {id}", now=self._now()
        )
        await self._add(app, id, certificate, "", self._vault.seal(private))
        return await self.get(app, id)

    async def rotate(self, app: str) -> Key:
        """Make another key beside those in use: builds with an older certificate still need
        theirs, until it is retired."""
        number = len(await self.all(app)) + 1
        return await self.create(app, f"{FIRST}-{number}")

    async def import_external(self, app: str, id: str, certificate: str, chain: str = "") -> Key:  # noqa: A002
        """Record a key that is kept elsewhere, after it has signed something for us."""
        if not self._external:
            raise errors.Refused(
                "This machine has no command that signs",
                fix="Its owner sets `update_signer` in settings.toml.",
            )
        _check_id(id)
        signing.check_certificate(certificate, now=self._now())
        signing.check_chain(chain, certificate)
        await self._sign_outside(id, certificate, b"shipway")
        await self._add(app, id, certificate, chain, None)
        return await self.get(app, id)

    async def retire(self, app: str, id: str) -> None:  # noqa: A002 -- the key's own
        """Sign nothing more with a key. Raises `errors.Refused` for the last one in use."""
        if [key.id for key in await self.in_use(app)] == [id]:
            raise errors.Refused(
                f"{id} is the only key of {app} that is in use",
                fix="`shipway update keys rotate` makes the next one first.",
            )
        await self._db.run(_SQL["retire_key"], app=app, id=id)

    async def sign(self, app: str, body: str) -> Signed:
        """Sign a text with every key in use, and check each signature as a device would."""
        data = body.encode()
        keys = await self.ensure(app)
        signatures = {key.id: await self.signature(key, data) for key in keys}
        return Signed(body=body, signatures=signatures)

    async def signature(self, key: Key, data: bytes) -> str:
        """Sign with one key. Raises `errors.Refused` when its certificate is of another key."""
        if key.sealed is None:
            return await self._sign_outside(key.id, key.certificate, data)
        private = self._vault.open(key.sealed)
        made = await asyncio.to_thread(signing.sign, private, data)
        signing.verify(key.certificate, data, made)
        return made

    async def chains(self, app: str) -> Mapping[str, str]:
        """Return the certificate chains of the keys in use."""
        return {key.id: key.chain for key in await self.in_use(app)}

    async def _sign_outside(self, id: str, certificate: str, data: bytes) -> str:  # noqa: A002
        outcome = await command.run(
            command.Command(
                argv=(*self._external, id),
                env=command.base_environment(),
                timeout=SIGNING_SECONDS,
                stdin=data,
            )
        )
        made = outcome.output.strip()
        signing.verify(certificate, data, made)
        return made

    async def _add(
        self,
        app: str,
        id: str,  # noqa: A002 -- the key's own
        certificate: str,
        chain: str,
        sealed: bytes | None,
    ) -> None:
        _check_id(id)
        added = await self._db.run(
            _SQL["add_key"], app=app, id=id, certificate=certificate, chain=chain, sealed=sealed
        )
        if not added:
            raise errors.Conflict(f"{app} has a key {id} already.", fix="Give it another id.")


def _check_id(id: str) -> None:  # noqa: A002 -- the key's own
    """Raise `errors.Invalid`: it becomes an argument of the command that signs."""
    if not _ID.fullmatch(id):
        raise errors.Invalid(f"{id[:100]!r} cannot be the id of a key.")
