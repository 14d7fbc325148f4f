"""Code signing as Expo's clients check it: RSASSA-PKCS1-v1_5 with SHA-256 over exact bytes.

A client trusts the certificate that its store build holds. When that has expired on the device's
clock every update is rejected for ever, so certificates last long.
"""

from __future__ import annotations

import base64
import datetime
import itertools

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shipway.kit import errors

ALGORITHM = "rsa-v1_5-sha256"
BITS = 2048
VALIDITY = datetime.timedelta(days=25 * 365)

_USAGE = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)  # fmt: skip


def make(name: str, *, now: datetime.datetime) -> tuple[str, str]:
    """Make a key and its self-signed certificate; return both as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A device whose clock is a little behind must trust it too.
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.KeyUsage(digital_signature=True, **_USAGE), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def sign(private: str, body: bytes) -> str:
    """Return the signature of the bytes, in standard base64 with padding."""
    key = serialization.load_pem_private_key(private.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise errors.Invalid("Updates are signed with an RSA key; this is another kind.")
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def verify(certificate: str, body: bytes, signature: str) -> None:
    """Raise `errors.Refused` when a signature is not of these bytes by this certificate."""
    key = read_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise errors.Refused("The certificate holds no RSA key")
    try:
        key.verify(base64.b64decode(signature), body, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise errors.Refused(
            "The signature does not match the certificate: no device would take this update",
            fix="Sign with the key of that certificate, or import the certificate of this key.",
        ) from error


def read_certificate(pem: str) -> x509.Certificate:
    """Return the leaf of a PEM text. Raises `errors.Invalid` when there is none."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except (ValueError, IndexError) as error:
        raise errors.Invalid("This is no PEM certificate.") from error


def check_certificate(pem: str, *, now: datetime.datetime) -> None:
    """Raise `errors.Refused` with every reason why clients would not trust a certificate."""
    leaf, reasons = read_certificate(pem), []
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        reasons.append("The certificate is not valid now")
    try:
        if not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            reasons.append("The certificate's key usage lacks digitalSignature")
    except x509.ExtensionNotFound:
        reasons.append("The certificate has no key usage")
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.CODE_SIGNING not in usage:
            reasons.append("The certificate is not for code signing")
    except x509.ExtensionNotFound:
        reasons.append("The certificate is not for code signing")
    if reasons:
        raise errors.Refused(*reasons, fix="`shipway update keys create` makes one that is.")


def check_chain(pem: str, certificate: str) -> None:
    """Raise `errors.Refused` when a device could not follow a chain from the certificate to the
    root that its app holds. Nothing is said of an empty one."""
    if not pem:
        return
    chain, reasons = _chain(pem), []
    if chain[0] != read_certificate(certificate):
        reasons.append("The chain does not begin with the certificate")
    for child, parent in itertools.pairwise(chain):
        try:
            child.verify_directly_issued_by(parent)
        except (ValueError, TypeError, InvalidSignature):
            reasons.append(f"{_name(child)} was not issued by {_name(parent)}, which follows it")
        if not _is_authority(parent):
            reasons.append(f"{_name(parent)} may not issue certificates")
    if chain[-1].subject == chain[-1].issuer:
        reasons.append(f"The chain ends with its root {_name(chain[-1])}, which apps have")
    if reasons:
        raise errors.Refused(*reasons, fix="Give it as PEM, leaf first, without the root.")


def _chain(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise errors.Invalid("The chain holds no PEM certificates.") from error


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
