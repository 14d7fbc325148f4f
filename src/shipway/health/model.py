"""Notifications, when to try again, and how a webhook is signed. Pure."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ChannelKind = Literal["webhook", "email"]

WAITS = (5, 30, 120, 600, 3600, 3 * 3600, 12 * 3600)
"""Seconds between attempts: eight in 17 hours, then the delivery is given up."""

SECRET_PREFIX = "whsec_"  # noqa: S105 -- the prefix, not a secret


@dataclass(frozen=True)
class Notification:
    """Something that happened: to which app, to what of it, and the sentence about it."""

    id: str
    event: str
    app: str
    subject: str
    sentence: str
    evidence: Mapping[str, Any]
    at: datetime.datetime

    @property
    def body(self) -> bytes:
        """The JSON that a webhook receives."""
        content = {
            "id": self.id,
            "type": self.event,
            "timestamp": self.at.isoformat(),
            "data": {
                "app": self.app,
                "subject": self.subject,
                "sentence": self.sentence,
                "evidence": dict(self.evidence),
            },
        }
        return json.dumps(content, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Channel:
    """Where an app's notifications go. ``secret`` is sealed."""

    id: str
    app: str
    kind: ChannelKind
    target: str
    created: datetime.datetime
    secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Delivery:
    """A notification on its way to one channel. ``id`` sorts by time."""

    id: str
    event: str
    subject: str
    sentence: str
    channel: str
    state: str
    attempts: int
    last_error: str
    at: datetime.datetime


def wait_after(attempts: int) -> datetime.timedelta | None:
    """Return how long to wait after so many failed attempts; None: give up."""
    if attempts > len(WAITS):
        return None
    return datetime.timedelta(seconds=WAITS[attempts - 1])


def signed_headers(
    notification: Notification, secret: str, now: datetime.datetime
) -> dict[str, str]:
    """Return the headers by which a receiver knows that a webhook is ours, and fresh.

    As in the Standard Webhooks specification 1.0: ``webhook-signature`` is ``v1,`` and the base
    64 of HMAC-SHA256, with the base-64 key behind ``whsec_``, over id, timestamp and body joined
    by dots. The id stays the same when a webhook is sent again.
    """
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    content = f"{notification.id}.{timestamp}.".encode() + notification.body
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "webhook-id": notification.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
