"""Secrets at rest: everybody may seal, only the worker opens.

Sealed boxes of libsodium (X25519, XSalsa20-Poly1305), through PyNaCl.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import pathlib
import secrets
from typing import Self

import nacl.exceptions
import nacl.public
import nacl.pwhash.argon2id

from shipway.kit import errors, log, spelling


class Vault:
    """Seals with the public key; opens with the private key where that can be read.

    What it seals or opens is hidden from the log of this process.
    """

    def __init__(
        self, public_key_path: pathlib.Path, private_key_path: pathlib.Path | None = None
    ) -> None:
        self._public_key_path = public_key_path
        self._private_key_path = private_key_path

    @classmethod
    def at(cls, home: pathlib.Path, *, opens: bool = False) -> Self:
        """Return the vault of a SHIPWAY_HOME; with ``opens``, the worker's."""
        return cls(home / "secrets.pub", home / "secrets" / "vault.key" if opens else None)

    @classmethod
    def create(cls, home: pathlib.Path) -> Self:
        """Make ``secrets/vault.key`` (0600) and ``secrets.pub`` (0644) below SHIPWAY_HOME.

        May be repeated: a key that is there stays, or what it sealed would be lost.
        """
        folder = home / "secrets"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_once(folder / "vault.key", bytes(nacl.public.PrivateKey.generate()), 0o600)
        public = bytes(nacl.public.PrivateKey(_read(folder / "vault.key")).public_key)
        _write_once(home / "secrets.pub", public, 0o644)
        if _read(home / "secrets.pub") != public:
            raise errors.Failed(
                "The two keys of the vault do not belong together.",
                fix=f"Restore {folder / 'vault.key'}, or the file secrets.pub made with it.",
            )
        return cls.at(home, opens=True)

    def __repr__(self) -> str:
        return f"Vault(opens={self._private_key_path is not None})"

    def seal(self, text: str) -> bytes:
        """Seal a text. Sealing it again gives other bytes."""
        log.hide(spelling.of(text))
        return nacl.public.SealedBox(self._public_key()).encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Open what was sealed. Raises `errors.Denied` outside the worker, and
        `errors.Failed` when the bytes were sealed for another vault or were changed."""
        try:
            text = nacl.public.SealedBox(self._private_key()).decrypt(sealed).decode()
        except nacl.exceptions.CryptoError as error:
            raise errors.Failed(
                "A secret was sealed for another vault, or was changed since.",
                fix="Set it again with `shipway env set`, or restore the vault's key.",
            ) from error
        log.hide(spelling.of(text))
        return text

    def likeness(self, text: str, scope: str) -> bytes:
        """Return 16 bytes that are the same for the same text in one scope, and tell no more.

        Slow on purpose (64 MiB, a tenth of a second), and salted by what the database lacks.
        """
        log.hide(spelling.of(text))
        salt = hashlib.blake2b(
            scope.encode(), key=self._public_key().encode(), digest_size=16
        ).digest()
        return nacl.pwhash.argon2id.kdf(
            16,
            text.encode(),
            salt,
            opslimit=nacl.pwhash.argon2id.OPSLIMIT_INTERACTIVE,
            memlimit=nacl.pwhash.argon2id.MEMLIMIT_INTERACTIVE,
        )

    def _public_key(self) -> nacl.public.PublicKey:
        return nacl.public.PublicKey(_read(self._public_key_path))

    def _private_key(self) -> nacl.public.PrivateKey:
        if self._private_key_path is None:
            raise errors.Denied("Only the worker opens secrets.")
        return nacl.public.PrivateKey(_read(self._private_key_path))


def fresh() -> str:
    """Return a new secret of 256 bits, safe in an address and in a shell."""
    return secrets.token_urlsafe(32)


def _write_once(path: pathlib.Path, key: bytes, mode: int) -> None:
    """Write a key whole or not at all, and never over another."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(base64.b64encode(key) + b"\n")
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first, and its key counts
    finally:
        draft.unlink()


def _read(path: pathlib.Path) -> bytes:
    try:
        key = base64.b64decode(path.read_bytes(), validate=False)
    except (FileNotFoundError, PermissionError) as error:
        raise errors.Unavailable(
            f"The vault's key {path} cannot be read.", fix="Run `shipway up`."
        ) from error
    except binascii.Error as error:
        raise errors.Failed(f"{path} is no key.", fix="Restore it from a backup.") from error
    if len(key) != nacl.public.PublicKey.SIZE:
        raise errors.Failed(f"{path} is no key.", fix="Restore it from a backup.")
    return key
