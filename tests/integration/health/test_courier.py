from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import aiosmtpd.smtp
import pytest

from shipway.environments.vault import Vault
from shipway.health import courier, senders
from shipway.health.channels import Channels
from shipway.health.outbox import Outbox
from shipway.kit import db, errors, settings

pytestmark = pytest.mark.anyio


class Receiver:
    """A small HTTP server that keeps what it was sent and answers as it is told."""

    def __init__(self) -> None:
        self.status = 204
        self.hangs = False
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.came = asyncio.Event()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        self.came.set()
        if self.hangs:
            await reader.read()
        else:
            writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield made


@pytest.fixture
def vault(home: pathlib.Path) -> Vault:
    return Vault.create(home)


@pytest.fixture
def given(home: pathlib.Path) -> settings.Settings:
    return settings.load(home=home)


async def put(database: db.Database, event: str = "deployment.failed") -> None:
    await Outbox(database).put(
        event, app="aios", subject="dep_1", sentence="v2 failed.", evidence={"seconds": 3}
    )


async def hurry(database: db.Database) -> None:
    await database.run("update health.deliveries set next_at = now()")


@contextlib.asynccontextmanager
async def delivering(made: courier.Courier) -> AsyncIterator[None]:
    task = asyncio.create_task(made.deliver())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_webhook_arrives_signed(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    _, secret = await Channels(database, vault).add("aios", "webhook", receiver.url)
    async with delivering(courier.Courier(database, vault, given)):
        await put(database)
        async with asyncio.timeout(10):
            await receiver.came.wait()
    headers, body = receiver.requests[0]
    assert json.loads(body)["data"]["sentence"] == "v2 failed."
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_the_key_of_the_signatures_is_sealed(database: db.Database, vault: Vault) -> None:
    _, secret = await Channels(database, vault).add("aios", "webhook", "http://x.example")
    row = await database.row("select row_to_json(c)::text as all from health.channels c")
    assert row
    assert secret not in row["all"]


async def test_an_event_is_told_once(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    await put(database)
    await put(database)
    made = courier.Courier(database, vault, given)
    assert await made.deliver_due() == 1
    assert await made.deliver_due() == 0
    assert [d.state for d in await Outbox(database).deliveries("aios")] == ["delivered"]


async def test_what_is_rolled_back_is_not_told(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    with contextlib.suppress(RuntimeError):
        async with database.transaction():
            await put(database)
            raise RuntimeError
    assert await courier.Courier(database, vault, given).deliver_due() == 0


async def test_another_app_is_not_told(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("other", "webhook", receiver.url)
    await put(database)
    assert await courier.Courier(database, vault, given).deliver_due() == 0


async def test_a_refused_webhook_is_sent_again_with_the_same_id(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    await put(database)
    made = courier.Courier(database, vault, given)
    receiver.status = 500
    await made.deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert delivery.last_error == f"{receiver.url} answered 500."
    receiver.status = 200
    await hurry(database)
    await made.deliver_due()
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_it_is_given_up_in_the_end(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    await put(database)
    receiver.status = 503
    made = courier.Courier(database, vault, given)
    for _ in range(8):
        await hurry(database)
        assert await made.deliver_due() == 1
    (delivery,) = await Outbox(database).deliveries("aios")
    assert delivery.state == "given_up"


async def test_a_receiver_that_is_gone_is_left_alone(
    database: db.Database, vault: Vault, given: settings.Settings, receiver: Receiver
) -> None:
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    await put(database)
    receiver.status = 410
    await courier.Courier(database, vault, given).deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert (delivery.state, delivery.attempts) == ("given_up", 1)


async def test_a_receiver_that_hangs_is_left(
    database: db.Database,
    vault: Vault,
    given: settings.Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(senders, "SECONDS", 0.3)
    await Channels(database, vault).add("aios", "webhook", receiver.url)
    await put(database)
    receiver.hangs = True
    async with asyncio.timeout(5):
        await courier.Courier(database, vault, given).deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert "did not answer within 0.3 seconds" in delivery.last_error


async def test_a_receiver_whose_name_is_not_found_is_tried_again(
    database: db.Database, vault: Vault, given: settings.Settings
) -> None:
    """As when DNS is gone."""
    await Channels(database, vault).add("aios", "webhook", "http://hooks.invalid/")
    await put(database)
    await courier.Courier(database, vault, given).deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert "http://hooks.invalid/ was not reached" in delivery.last_error


async def test_nobody_listening_is_said(
    database: db.Database, vault: Vault, given: settings.Settings
) -> None:
    await Channels(database, vault).add("aios", "webhook", "http://127.0.0.1:1/")
    await put(database)
    await courier.Courier(database, vault, given).deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert "was not reached" in delivery.last_error


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.letters.append(envelope)
        return "250 OK"


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: aiosmtpd.smtp.SMTP(box), "127.0.0.1", 0)
    async with server:
        yield box, server.sockets[0].getsockname()[1]


async def test_an_email_arrives(
    database: db.Database, vault: Vault, home: pathlib.Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    given = settings.load(home=home, smtp_url=f"smtp://127.0.0.1:{port}")
    await Channels(database, vault).add("aios", "email", "ana@example.org")
    await put(database)
    await courier.Courier(database, vault, given).deliver_due()
    (envelope,) = box.letters
    assert envelope.rcpt_tos == ["ana@example.org"]
    assert b"Subject: [aios] v2 failed." in envelope.content


async def test_without_a_mail_server_it_is_said(
    database: db.Database, vault: Vault, given: settings.Settings
) -> None:
    await Channels(database, vault).add("aios", "email", "ana@example.org")
    await put(database)
    await courier.Courier(database, vault, given).deliver_due()
    (delivery,) = await Outbox(database).deliveries("aios")
    assert delivery.last_error == "No mail server is set. Set smtp_url in settings.toml."


async def test_channels_are_known_once_and_removed(database: db.Database, vault: Vault) -> None:
    known = Channels(database, vault)
    added, _ = await known.add("aios", "email", "ana@example.org")
    with pytest.raises(errors.Conflict):
        await known.add("aios", "email", "ana@example.org")
    with pytest.raises(errors.NotFound):
        await known.remove("other", added.id)
    await known.remove("aios", added.id)
    assert await known.list("aios") == ()
