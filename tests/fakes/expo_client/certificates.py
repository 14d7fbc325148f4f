"""Certificates for tests: of every shape that a client looks at."""

from __future__ import annotations

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.fakes.expo_client import signing

KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


def pem(
    number: int,
    issuer: int | None = None,
    *,
    now: datetime.datetime,
    ca: bool = False,
    signs: bool = True,
    code: bool = True,
    length: int | None = None,
    project: str = "",
    days: int = 1,
) -> str:
    """Make a certificate for a key of `KEYS`; another's key issues it, or its own."""
    issuer = number if issuer is None else issuer
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(number))]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(issuer))]))
        .public_key(KEYS[number].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + days * day)
        .add_extension(_usage(signs=signs, ca=ca), critical=True)
    )
    if ca:
        constraints = x509.BasicConstraints(ca=True, path_length=length)
        builder = builder.add_extension(constraints, critical=True)
    if code:
        extended = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(extended, critical=True)
    if project:
        limited = x509.UnrecognizedExtension(signing.PROJECT, project.encode())
        builder = builder.add_extension(limited, critical=False)
    made = builder.sign(KEYS[issuer], hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def _usage(*, signs: bool, ca: bool) -> x509.KeyUsage:
    names = ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "crl_sign", "encipher_only", "decipher_only"]  # fmt: skip
    no: dict[str, Any] = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=signs, key_cert_sign=ca, **no)
