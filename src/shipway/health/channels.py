"""Where an app's notifications go."""

from __future__ import annotations

import base64
import re
import secrets
import urllib.parse
from typing import Protocol

from shipway.health.model import SECRET_PREFIX, Channel, ChannelKind
from shipway.kit import db, errors, ids

_SQL = db.queries(__package__)
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


class Seal(Protocol):
    """Closes what only the worker can open (`environments.vault.Vault`)."""

    def seal(self, text: str, /) -> bytes: ...


class Channels:
    """The channels of each app."""

    def __init__(self, database: db.Database, vault: Seal) -> None:
        self._db = database
        self._vault = vault

    async def add(self, app: str, kind: ChannelKind, target: str) -> tuple[Channel, str]:
        """Return the new channel and, for a webhook, the key of its signatures, told only now.

        Raises `errors.Invalid` for a malformed target, `errors.Conflict` for a known one.
        """
        check(kind, target)
        secret = ""
        if kind == "webhook":
            secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        row = await self._db.row(
            _SQL["add_channel"],
            id=ids.new("chn"),
            app=app,
            kind=kind,
            target=target,
            secret=self._vault.seal(secret) if secret else None,
        )
        if row is None:
            raise errors.Conflict(f"{app} already tells {target}.")
        return Channel(**row), secret

    async def list(self, app: str) -> tuple[Channel, ...]:
        return tuple(Channel(**row) for row in await self._db.rows(_SQL["channels"], app=app))

    async def remove(self, app: str, channel: str) -> None:
        """Raises `errors.NotFound`. What was on its way there is not sent any more."""
        if not await self._db.run(_SQL["remove_channel"], id=channel, app=app):
            raise errors.NotFound(f"{app} has no channel {channel}.")


def check(kind: ChannelKind, target: str) -> None:
    """Raise `errors.Invalid` unless the target is what its kind needs."""
    if kind == "email":
        if not _ADDRESS.fullmatch(target):
            raise errors.Invalid(f"{target!r} is not an e-mail address.")
        return
    try:
        url = urllib.parse.urlsplit(target)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        port_is_sound = False
    if not port_is_sound or url.scheme not in {"http", "https"} or not url.hostname:
        raise errors.Invalid(f"{target!r} is not an http or https address.")
