"""Signatures: of exact bytes, by the key that the client names, made before anybody asks."""

from __future__ import annotations

import base64
import uuid

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import PLATFORMS, App
from tests.fakes.expo_client import structured
from tests.fakes.expo_client.answers import Rejected
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply
from tests.fakes.second_opinion import npm

from shipway.updates import model

pytestmark = pytest.mark.anyio

V1 = "Expo Updates 1"
MAIN = 'sig, keyid="main", alg="rsa-v1_5-sha256"'
JSON = "application/json"


def parts(app: App, reply: Reply) -> dict[str, tuple[bytes, str | None]]:
    """Return body and signature of each part."""
    raw = app.device().reader.read(reply).raw or {}
    return {name: (part.body, part.header("expo-signature")) for name, part in raw.items()}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("state", ["update", "rollback", "nothing"])
@pytest.mark.parametrize("accept", [None, JSON])
async def test_a_client_that_wants_signatures_trusts_every_answer(
    shelf: Shelf, state: str, platform: Platform, accept: str | None
) -> None:
    app = {"update": shelf.offering, "rollback": shelf.back, "nothing": shelf.empty}[state]
    phone = app.device(platform, trust=await app.trust())
    reply = await app.ask(expo_platform=platform, expo_expect_signature=MAIN, accept=accept)
    if reply.status == 406:
        assert (state, accept) == ("rollback", JSON)
    else:
        phone.reader.read(reply)


async def test_expos_own_package_trusts_the_signature_and_the_certificate(
    shelf: Shelf, node: npm.Node
) -> None:
    app = shelf.offering
    found = parts(app, await app.ask(expo_expect_signature=MAIN))
    body, header = found["manifest"]
    assert header is not None
    fields = structured.parse_dictionary(header)
    assert node.dictionary(header) == fields
    said = node.signature(await app.certificate(), str(fields["sig"]), body)
    assert said == {"verified": True, "selfSigned": True, "mayVerify": True, "forCode": True}


async def test_the_signature_header_says_which_key_and_algorithm(shelf: Shelf) -> None:
    app = shelf.offering
    found = parts(app, await app.ask(expo_expect_signature=MAIN))
    fields = structured.parse_dictionary(found["manifest"][1] or "")
    assert fields["keyid"] == "main"
    assert fields["alg"] == "rsa-v1_5-sha256"
    base64.b64decode(str(fields["sig"]), validate=True)  # the standard alphabet, padded


async def test_extensions_are_not_signed(shelf: Shelf) -> None:
    app = shelf.offering
    found = parts(app, await app.ask(expo_expect_signature=MAIN))
    assert found["extensions"][1] is None


async def test_json_has_its_signature_in_the_header_of_the_answer(shelf: Shelf) -> None:
    app = shelf.offering
    reply = await app.ask(expo_expect_signature=MAIN, accept=JSON)
    in_part = parts(app, await app.ask(expo_expect_signature=MAIN))["manifest"][1]
    assert reply.header("expo-signature") == in_part


async def test_nothing_is_signed_for_a_client_that_does_not_ask(shelf: Shelf) -> None:
    """Expo Updates 1: the signature comes when it is expected."""
    app = shelf.offering
    assert {header for _, header in parts(app, await app.ask()).values()} == {None}
    assert (await app.ask(accept=JSON)).header("expo-signature") is None


@each(
    "expect status",
    ("any key, any algorithm", V1, "sig", 200),
    ("the key alone", V1, 'sig, keyid="main"', 200),
    ("members in another order", "SFV", 'alg="rsa-v1_5-sha256", sig, keyid="main"', 200),
    ("a member that nobody knows", "SFV", 'sig, keyid="main", more=1', 200),
    ("another key", V1, 'sig, keyid="other"', 406),
    ("another algorithm", V1, 'sig, keyid="main", alg="ed25519"', 406),
    ("no dictionary", "SFV", 'sig; keyid="main', 400),
    ("a keyid that is no string", "SFV", "sig, keyid=7", 400),
    ("something that is not ASCII", "SFV", 'sig, keyid="m\xe4in"', 400),
)
async def test_asked_for(shelf: Shelf, expect: str, status: int) -> None:
    reply = await shelf.offering.ask(expo_expect_signature=expect)
    assert reply.status == status
    if status == 200:
        header = parts(shelf.offering, reply)["manifest"][1]
        assert structured.parse_dictionary(header or "")["keyid"] == "main"


async def test_the_same_bytes_are_signed_once_and_for_all(shelf: Shelf) -> None:
    """Shipway: the process that serves has no key."""
    app = shelf.offering
    asked = [
        parts(app, await app.ask(expo_expect_signature=MAIN, eas_client_id=str(uuid.uuid4())))
        for _ in range(3)
    ]
    assert asked[0] == asked[1] == asked[2]
    stored = next(
        offer.signed
        for offer in await app.world.records.offers(shelf.group.id)
        if offer.id == shelf.newest
    )
    body, header = asked[0]["manifest"]
    assert body == stored.body.encode()
    assert structured.parse_dictionary(header or "")["sig"] == stored.signatures["main"]


async def test_a_phone_with_another_certificate_rejects_everything(shelf: Shelf) -> None:
    app = shelf.offering
    other = shelf.back.world.app()
    await other.publish()
    await other.shown(other.world.changes.rotate_key(other.name))
    phone = app.device(trust=Trust(await other.certificate("main-2"), "main"))
    with pytest.raises(Rejected, match="Incorrect signature"):
        await phone.ask()


async def test_a_certificate_outlives_the_builds_that_hold_it(shelf: Shelf) -> None:
    """Android, iOS: an expired certificate rejects every update for ever."""
    app = shelf.offering
    phone = app.device(trust=await app.trust())
    now = app.world.milliseconds()
    for years in (0, 1, 10, 20):
        phone._clock = lambda later=years: now + later * 365 * 86_400_000  # type: ignore[misc]
        assert (await phone.ask()).manifest is not None


async def test_a_new_key_signs_what_is_out_and_the_old_one_goes_on(app: App) -> None:
    group = await app.publish()
    await app.shown(app.world.changes.rotate_key(app.name))
    for keyid in ("main", "main-2"):
        phone = app.device(trust=await app.trust(keyid))
        phone.start()
        assert (await phone.check()).loaded == await app.id_of(group)
    again = await app.publish("two")
    for keyid in ("main", "main-2"):
        phone = app.device("ios", trust=await app.trust(keyid))
        phone.start()
        assert (await phone.check()).loaded == await app.id_of(again, "ios")


async def test_a_new_key_does_not_change_what_was_signed(app: App) -> None:
    await app.publish()
    before = parts(app, await app.ask(expo_expect_signature=MAIN))
    await app.shown(app.world.changes.rotate_key(app.name))
    assert parts(app, await app.ask(expo_expect_signature=MAIN)) == before


async def test_a_rollback_is_signed_by_every_key(app: App) -> None:
    await app.publish()
    await app.shown(app.world.changes.rotate_key(app.name))
    await app.roll_back("embedded")
    for keyid in ("main", "main-2"):
        phone = app.device(trust=await app.trust(keyid))
        assert (await phone.ask()).directive is not None


async def test_a_retired_key_signs_nothing_new(app: App) -> None:
    await app.publish()
    await app.shown(app.world.changes.rotate_key(app.name))
    await app.shown(app.world.changes.retire_key(app.name, "main"))
    await app.publish("two")
    assert (await app.ask(expo_expect_signature=MAIN)).status == 406
    phone = app.device(trust=await app.trust("main-2"))
    assert (await phone.ask()).manifest is not None


async def test_what_is_new_to_a_client_without_a_key_name_is_the_newest_key(app: App) -> None:
    await app.publish()
    await app.shown(app.world.changes.rotate_key(app.name))
    header = parts(app, await app.ask(expo_expect_signature="sig"))["manifest"][1]
    assert structured.parse_dictionary(header or "")["keyid"] == "main-2"


def test_times_are_written_as_both_clients_read_them() -> None:
    assert model.timestamp(1_795_435_200_007) == "2026-11-23T12:00:00.007Z"
