from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.fakes.expo_client import certificates, signing

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
BODY = b'{"id":"x"}'
KEYS = certificates.KEYS


def pem(number: int, issuer: int | None = None, **shape: Any) -> str:
    return certificates.pem(number, issuer, now=NOW, **shape)


def header(number: int = 0, body: bytes = BODY, *, keyid: str = "main", rest: str = "") -> str:
    raw = KEYS[number].sign(body, padding.PKCS1v15(), hashes.SHA256())
    return f'sig="{base64.b64encode(raw).decode()}", keyid="{keyid}"{rest}'


def checked(header_: str | None, chain: str = "", **trust: Any) -> tuple[str, str] | None:
    known = {"certificate": pem(0), "keyid": "main"} | trust
    return signing.Trust(**known).check(header_, BODY, chain, now=NOW)


def test_a_sound_signature_is_trusted() -> None:
    assert checked(header(rest=', alg="rsa-v1_5-sha256"')) is None
    assert checked(header()) is None


def test_an_absent_keyid_stands_for_root() -> None:
    assert checked(header().partition(",")[0], keyid="root") is None


def url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


REFUSED = {
    "no signature": (None, "No expo-signature"),
    "another key": (header(1), "Incorrect signature"),
    "another body": (header(body=b"{}"), "Incorrect signature"),
    "another keyid": (header(keyid="other"), "keyid=other"),
    "another algorithm": (header(rest=', alg="ed25519"'), "algorithm"),
    "no sig": ('keyid="main"', "sig not found"),
    "a sig that is a token": ('sig=abc, keyid="main"', "sig not found"),
    "no dictionary": ("sig=", "malformed"),
    "no base64": ('sig="*", keyid="main"', "not base64"),
    "no padding": (header().replace('=="', '"', 1), "not base64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_is_untrusted_with(case: str) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(signing.Untrusted, match=reason):
        checked(text)


CERTIFICATES = {
    "has expired": pem(0, days=0),
    "may not sign": pem(0, signs=False),
    "is not for code": pem(0, code=False),
    "is issued by another": pem(0, 1),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_nothing_is_trusted_when_the_certificate(case: str) -> None:
    with pytest.raises(signing.Untrusted):
        signing.Trust(CERTIFICATES[case], "main").check(
            header(), BODY, "", now=NOW + datetime.timedelta(hours=1)
        )


def test_an_unsigned_answer_may_be_allowed() -> None:
    assert checked(None, allow_unsigned=True) is None


ROOT = pem(2, ca=True, code=False)
CHAINS = {
    "a leaf": (pem(0, 2), ROOT, True),
    "a leaf below an intermediate": (pem(0, 1) + pem(1, 2, ca=True, code=False), ROOT, True),
    "nothing": ("", ROOT, False),
    "a leaf of somebody else": (pem(0, 1), ROOT, False),
    "an intermediate that is no authority": (pem(0, 1) + pem(1, 2), ROOT, False),
    "a root that is no authority": (pem(0, 2), pem(2), False),
    "a path that is too long": (
        pem(0, 1) + pem(1, 2, ca=True, code=False),
        pem(2, ca=True, code=False, length=0),
        False,
    ),
    "a project of its own": (pem(0, 2, project="p, s"), ROOT, True),
    "another project than its parent": (
        pem(0, 2, project="p,s"),
        pem(2, ca=True, code=False, project="q,s"),
        False,
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_a_chain_is_followed_to_the_embedded_root(case: str) -> None:
    chain, root, trusted = CHAINS[case]
    trust = signing.Trust(root, "main", include_chain=True)
    if trusted:
        named = trust.check(header(keyid="whatever"), BODY, chain, now=NOW)
        assert named == (("p", "s") if "project" in case else None)
    else:
        with pytest.raises(signing.Untrusted):
            trust.check(header(keyid="whatever"), BODY, chain, now=NOW)


def test_what_is_asked_for_names_the_key_and_the_algorithm() -> None:
    trust = signing.Trust("", "main")
    assert trust.expect_header() == 'sig, keyid="main", alg="rsa-v1_5-sha256"'
