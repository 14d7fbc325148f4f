"""A certificate authority of Shipway's own, for names that no public authority can vouch for.

The profile is what RFC 5280 and the strict checks of Python, Node, OpenSSL and Chromium ask of a
chain of two: ECDSA P-256, key identifiers, critical basic constraints and key usage, names in the
subject alternative name only, and not longer than 397 days for a leaf.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import ipaddress
import os
import pathlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from shipway.kit import clock, errors

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397
RENEW_DAYS = 30
"""A leaf is renewed so many days before its end."""

SKEW = datetime.timedelta(hours=1)
"""A client's clock may be so much behind."""


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, as PEM files. ``version`` changes when they do."""

    chain: pathlib.Path
    key: pathlib.Path
    version: str


class Authority:
    """Issues certificates from a folder of its own: the root's key never leaves it.

    ``bundle`` is the file that clients are to trust: ``curl --cacert``, ``SSL_CERT_FILE``,
    ``NODE_EXTRA_CA_CERTS``. It is there after the first certificate, or after ``create``.
    """

    def __init__(self, folder: pathlib.Path, *, now: clock.Clock = clock.now) -> None:
        self.folder = folder
        self.bundle = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    async def create(self) -> None:
        """Make the root if there is none. May be repeated."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._create)

    async def certificate(self, hosts: Sequence[str]) -> Pair:
        """Return a certificate for these hosts (names or addresses): the one that there is, or a
        new one when its hosts are others, its end is near, or another root has signed it.

        Raises `errors.Failed` when the root is unreadable or has itself come to its end.
        """
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._certificate, tuple(hosts))

    def _create(self) -> None:
        if self.bundle.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, "Shipway"),
                # Two machines' roots must not look like one to a client that trusts both.
                x509.NameAttribute(
                    oid.NameOID.COMMON_NAME, f"Shipway authority {uuid.uuid4().hex[:8]}"
                ),
            ]
        )
        root = (
            self._builder(name, name, key.public_key(), days=AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._key, _key_text(key), 0o600)
        _write(self.bundle, root.public_bytes(serialization.Encoding.PEM), 0o644)

    def _certificate(self, hosts: tuple[str, ...]) -> Pair:
        self._create()
        root, key = self._root()
        folder = self.folder / "leaves" / hashlib.sha256("\0".join(hosts).encode()).hexdigest()[:32]
        pair = Pair(folder / "chain.pem", folder / "key.pem", "")
        leaf = self._still_good(pair, root)
        if leaf is None:
            folder.mkdir(parents=True, exist_ok=True)
            leaf = self._issue(hosts, pair, root, key)
        return Pair(pair.chain, pair.key, leaf.fingerprint(hashes.SHA256()).hex()[:16])

    def _root(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        try:
            root = x509.load_pem_x509_certificate(self.bundle.read_bytes())
            key = serialization.load_pem_private_key(self._key.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise errors.Failed(
                f"Shipway's certificate authority cannot be read: {error}.",
                fix=f"Restore {self.folder}, or move it away to begin a new one.",
            ) from error
        if root.not_valid_after_utc <= self._now() or not isinstance(
            key, ec.EllipticCurvePrivateKey
        ):
            raise errors.Failed(
                "Shipway's certificate authority has come to its end.",
                fix=f"Move {self.folder} away and have clients trust the new one.",
            )
        return root, key

    def _still_good(self, pair: Pair, root: x509.Certificate) -> x509.Certificate | None:
        """A leaf without its key is of no use, nor is one that was half written."""
        with contextlib.suppress(OSError, ValueError, TypeError, exceptions.InvalidSignature):
            leaf = x509.load_pem_x509_certificate(pair.chain.read_bytes())
            key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
            renew_at = leaf.not_valid_after_utc - datetime.timedelta(days=RENEW_DAYS)
            leaf.verify_directly_issued_by(root)
            if key.public_key() == leaf.public_key() and self._now() < renew_at:
                return leaf
        return None

    def _issue(
        self,
        hosts: tuple[str, ...],
        pair: Pair,
        root: x509.Certificate,
        root_key: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        leaf = (
            self._builder(x509.Name([]), root.subject, key.public_key(), days=LEAF_DAYS, root=root)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            # Critical, because the subject is empty (RFC 5280, 4.2.1.6).
            .add_extension(names, critical=True)
            .sign(root_key, hashes.SHA256())
        )
        chain = leaf.public_bytes(serialization.Encoding.PEM)
        _write(pair.key, _key_text(key), 0o600)
        _write(pair.chain, chain, 0o644)
        return leaf

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        days: int,
        root: x509.Certificate | None = None,
    ) -> x509.CertificateBuilder:
        begin = self._now() - SKEW
        end = begin + datetime.timedelta(days=days)
        signer = key if root is None else root.public_key()
        assert isinstance(signer, ec.EllipticCurvePublicKey)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end if root is None else min(end, root.not_valid_after_utc))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False
            )
        )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: pathlib.Path, data: bytes, mode: int) -> None:
    """Never readable by more than ``mode`` says, not even for a moment."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)
