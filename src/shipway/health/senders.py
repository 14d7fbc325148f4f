"""How one notification is sent: as a signed webhook or as an e-mail."""

from __future__ import annotations

import asyncio
import email.message
import urllib.parse

import aiosmtplib
import httpx2

from shipway.health import model
from shipway.health.model import Notification
from shipway.kit import clock, errors, http
from shipway.kit.settings import Settings

SECONDS = 15.0
"""The longest that one attempt may take, whatever the receiver does."""


class Gone(Exception):
    """The receiver wants no more of it."""


async def send_webhook(notification: Notification, url: str, secret: str) -> None:
    """POST a notification. Any 2xx is a yes; the answer's body is not read.

    Raises `Gone` when the receiver answers 410, else `errors.Failed` with the reason.
    """
    headers = {
        "content-type": "application/json",
        "user-agent": "shipway",
        **model.signed_headers(notification, secret, clock.now()),
    }
    try:
        async with asyncio.timeout(SECONDS), http.client(timeout=SECONDS) as client:
            request = client.build_request("POST", url, headers=headers, content=notification.body)
            response = await client.send(request, stream=True)
            await response.aclose()
    except TimeoutError as error:
        raise errors.Failed(f"{url} did not answer within {SECONDS:g} seconds.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
        raise errors.Failed(f"{url} was not reached: {_reason(error)}.") from error
    if response.status_code == 410:
        raise Gone(f"{url} answered 410: it is gone.")
    if not response.is_success:
        raise errors.Failed(f"{url} answered {response.status_code}.")


async def send_email(notification: Notification, address: str, settings: Settings) -> None:
    """Send a notification through the mail server of the settings.

    Raises `errors.Failed` with the reason when the server does not take it.
    """
    if not settings.smtp_url:
        raise errors.Failed("No mail server is set.", fix="Set smtp_url in settings.toml.")
    server = urllib.parse.urlsplit(settings.smtp_url)
    secure = server.scheme == "smtps"
    try:
        async with asyncio.timeout(SECONDS):
            await aiosmtplib.send(
                letter(notification, address, settings.mail_from),
                hostname=server.hostname or "localhost",
                port=server.port or (465 if secure else 587 if server.username else 25),
                username=urllib.parse.unquote(server.username) if server.username else None,
                password=urllib.parse.unquote(server.password) if server.password else None,
                use_tls=secure,
                timeout=SECONDS,
            )
    except TimeoutError as error:
        raise errors.Failed(f"{server.hostname} took longer than {SECONDS:g} seconds.") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise errors.Failed(f"{server.hostname} did not take it: {_reason(error)}.") from error


def letter(notification: Notification, to: str, sender: str) -> email.message.EmailMessage:
    """Return a notification as a message. Its id stays the same when it is sent again."""
    message = email.message.EmailMessage()
    message["From"] = sender
    message["To"] = to
    # A line break in a header would begin another header.
    message["Subject"] = f"[{notification.app}] {' '.join(notification.sentence.split())}"[:200]
    message["Date"] = notification.at
    message["Message-ID"] = f"<{notification.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    evidence = (f"{key}: {value}" for key, value in notification.evidence.items())
    about = f"{notification.event} of {notification.subject}, {notification.at:%Y-%m-%d %H:%M} UTC"
    message.set_content("\n".join((notification.sentence, "", about, *evidence)))
    return message


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
