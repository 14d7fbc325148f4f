"""How a client checks the signature of a manifest or directive (both platforms alike)."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.fakes.expo_client import structured

ALGORITHM = "rsa-v1_5-sha256"
DEFAULT_KEY_ID = "root"
PROJECT = x509.ObjectIdentifier(
    "1.2.840.113556.1.8000.2554.43437.254.128.102.157.7894389.20439.2.1"
)

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Untrusted(Exception):
    """The client throws the whole answer away."""


@dataclass(frozen=True)
class Trust:
    """What a build knows about signatures: the certificate that is embedded in it."""

    certificate: str
    keyid: str = DEFAULT_KEY_ID
    include_chain: bool = False
    allow_unsigned: bool = False

    def expect_header(self) -> str:
        return f'sig, keyid={structured.string_item(self.keyid)}, alg="{ALGORITHM}"'

    def check(
        self, header: str | None, body: bytes, chain: str, *, now: datetime.datetime
    ) -> tuple[str, str] | None:
        """Check a body; return the project id and scope key that it has to name, if any.

        ``now`` is the clock of the device. Raises `Untrusted`.
        """
        if header is None:
            if self.allow_unsigned:
                return None
            raise Untrusted("No expo-signature header specified")
        signature, keyid = _signature(header)
        certificates = [self.certificate]
        if self.include_chain:
            certificates = [*_PEM.findall(chain), self.certificate]
        elif keyid != self.keyid:
            raise Untrusted(f"Key with keyid={keyid} not found in client configuration")
        leaf = _trusted_leaf(
            [x509.load_pem_x509_certificate(c.encode()) for c in certificates], now
        )
        _verify(leaf, signature, body)
        return _project(leaf)


def _signature(header: str) -> tuple[bytes, str]:
    try:
        fields = structured.parse_dictionary(header)
    except structured.Malformed as error:
        raise Untrusted(f"The signature header is malformed: {error}") from error
    signature, keyid, algorithm = (fields.get(name) for name in ("sig", "keyid", "alg"))
    if not _is_string(signature):
        raise Untrusted("Structured field sig not found in expo-signature header")
    if _is_string(algorithm) and algorithm != ALGORITHM:
        raise Untrusted(f"Invalid code signing algorithm name: {algorithm!r}")
    try:
        # Standard alphabet; the URL-safe one has characters that this refuses.
        raw = base64.b64decode(str(signature), validate=True)
    except binascii.Error as error:
        raise Untrusted("The signature is not base64") from error
    return raw, str(keyid) if _is_string(keyid) else DEFAULT_KEY_ID


def _is_string(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, structured.Token)


def _verify(certificate: x509.Certificate, signature: bytes, body: bytes) -> None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Untrusted("Only RSA keys are known")
    try:
        key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
    except exceptions.InvalidSignature as error:
        raise Untrusted("Incorrect signature") from error


def _trusted_leaf(chain: Sequence[x509.Certificate], now: datetime.datetime) -> x509.Certificate:
    for certificate in chain:
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Untrusted("A certificate is not valid now, by the clock of the device")
    for certificate, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True):
        _check_issued(certificate, issuer)
    if len(chain) > 1:
        _check_authorities(chain)
    _check_may_sign(chain[0])
    return chain[0]


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, exceptions.InvalidSignature) as error:
        raise Untrusted("Certificates do not chain, or the root is not self-signed") from error


def _check_authorities(chain: Sequence[x509.Certificate]) -> None:
    """Everything but the leaf must be an authority, within the lengths that were allowed."""
    allowed = _path_length(chain[-1])
    project = _project(chain[-1])
    for certificate in reversed(chain[1:-1]):
        own = _path_length(certificate)
        if allowed <= 0:
            raise Untrusted("pathLenConstraint violated by intermediate certificate")
        allowed = min(allowed - 1, own)
        project = _narrowed(project, certificate)
    _narrowed(project, chain[0])


def _narrowed(
    project: tuple[str, str] | None, certificate: x509.Certificate
) -> tuple[str, str] | None:
    own = _project(certificate)
    if project is not None and own != project:
        raise Untrusted("Expo project information must equal that of the parent certificates")
    return own


def _path_length(certificate: x509.Certificate) -> int:
    """Return how many authorities may stand below. Raises `Untrusted` for no authority."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Untrusted("A non-leaf certificate is no Certificate Authority") from error
    if not basic.ca or not usage.key_cert_sign:
        raise Untrusted("A non-leaf certificate is no Certificate Authority")
    return 1 << 31 if basic.path_length is None else basic.path_length


def _check_may_sign(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Untrusted("The first certificate is no code signing certificate") from error
    if not usage.digital_signature or ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise Untrusted("The first certificate is no code signing certificate")


def _project(certificate: x509.Certificate) -> tuple[str, str] | None:
    """Return the project id and scope key that a certificate is limited to."""
    try:
        found = certificate.extensions.get_extension_for_oid(PROJECT).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(found, x509.UnrecognizedExtension)
    parts = [part.strip() for part in found.value.decode().split(",")]
    if len(parts) != 2:
        raise Untrusted("Invalid Expo project information extension value")
    return parts[0], parts[1]
