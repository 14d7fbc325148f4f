from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json

import pytest

from shipway.health import channels, model, senders
from shipway.kit import errors

AT = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
TOLD = model.Notification(
    "msg_1", "deployment.failed", "aios", "dep_1", "v2 did not\nbecome ready.", {"seconds": 60}, AT
)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    key = b"k" * 32
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = model.signed_headers(TOLD, secret, AT)
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(AT.timestamp()))
    signed = b"msg_1." + headers["webhook-timestamp"].encode() + b"." + TOLD.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_body_tells_the_sentence_and_its_evidence() -> None:
    body = json.loads(TOLD.body)
    assert body["type"] == "deployment.failed"
    assert body["data"]["sentence"] == "v2 did not\nbecome ready."
    assert body["data"]["evidence"] == {"seconds": 60}


def test_waits_grow_and_end() -> None:
    waits = [model.wait_after(attempts) for attempts in range(1, 9)]
    assert waits[-1] is None
    known = [wait for wait in waits if wait]
    assert known == sorted(known)
    assert len(known) == 7


def test_a_sentence_cannot_add_a_header() -> None:
    letter = senders.letter(TOLD, "ana@example.org", "shipway@example.org")
    assert letter["Subject"] == "[aios] v2 did not become ready."
    assert letter["Message-ID"] == "<msg_1@example.org>"
    assert "seconds: 60" in letter.get_content()


@pytest.mark.parametrize("target", ["ana@example.org", "a.b+c@localhost"])
def test_addresses(target: str) -> None:
    channels.check("email", target)


@pytest.mark.parametrize("target", ["ana", "a b@c", "a@b, c@d", "<a@b>", "a@b\nBcc: c@d", ""])
def test_no_addresses(target: str) -> None:
    with pytest.raises(errors.Invalid):
        channels.check("email", target)


@pytest.mark.parametrize("target", ["http://127.0.0.1:80/x", "https://example.org/hook?a=b"])
def test_urls(target: str) -> None:
    channels.check("webhook", target)


@pytest.mark.parametrize("target", ["ftp://x", "//x", "http://", "http://x:99999", "http://[", "x"])
def test_no_urls(target: str) -> None:
    with pytest.raises(errors.Invalid):
        channels.check("webhook", target)
