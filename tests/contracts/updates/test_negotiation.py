"""What form the answer to a manifest request has, for every Accept header and protocol version."""

from __future__ import annotations

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.shelf import Shelf
from tests.fakes.expo_client.wire import Reply

pytestmark = pytest.mark.anyio

MULTIPART, EXPO, JSON = "multipart/mixed", "application/expo+json", "application/json"
CLIENT = f"{MULTIPART},{EXPO},{JSON}"
ACCEPT = "RFC 9110, 12.5.1"
V1 = "Expo Updates 1"


def form(reply: Reply) -> str:
    return (reply.header("content-type") or "").partition(";")[0]


@each(
    "accept form_",
    ("the clients' own header gets multipart", "Android, iOS", CLIENT, MULTIPART),
    ("no Accept header accepts everything", ACCEPT, None, MULTIPART),
    ("any type gets multipart", ACCEPT, "*/*", MULTIPART),
    ("multipart alone", V1, MULTIPART, MULTIPART),
    ("any multipart type", ACCEPT, "multipart/*", MULTIPART),
    ("types are compared in any case", ACCEPT, "Multipart/MIXED", MULTIPART),
    ("parameters of a type do not matter", ACCEPT, "multipart/mixed; charset=x", MULTIPART),
    ("a bare wildcard with a weight", ACCEPT, "*/*;q=0.1", MULTIPART),
    ("Expo's JSON alone", V1, EXPO, EXPO),
    ("plain JSON alone", V1, JSON, JSON),
    ("plain JSON with a charset", ACCEPT, "application/json; charset=utf-8", JSON),
    ("the heavier of two JSONs", ACCEPT, f"{JSON};q=0.9,{EXPO};q=0.1", JSON),
    ("the heavier JSON the other way", ACCEPT, f"{JSON};q=0.1,{EXPO};q=0.9", EXPO),
    ("a lighter multipart gives way", ACCEPT, f"{MULTIPART};q=0.1,{JSON}", JSON),
    ("a multipart of weight zero is refused", ACCEPT, f"{MULTIPART};q=0,{JSON}", JSON),
    ("a type beats its wildcard", ACCEPT, f"{MULTIPART};q=0,*/*;q=0.1,{EXPO};q=0.5", EXPO),
    ("unknown types do not matter", ACCEPT, f"text/html,image/png,{EXPO};q=0.2", EXPO),
    ("spaces around commas", ACCEPT, f" text/html , {JSON} ; q=1.0 ", JSON),
)
async def test_an_update_comes_as(shelf: Shelf, accept: str | None, form_: str) -> None:
    reply = await shelf.offering.ask(accept=accept)
    assert (reply.status, form(reply)) == (200, form_)
    answer = shelf.offering.device(url=shelf.offering.url).reader.read(reply)
    assert answer.manifest is not None
    assert answer.manifest.id == shelf.newest


@each(
    "accept",
    ("only other types", V1, "text/html"),
    ("only JSON of weight zero", ACCEPT, f"{JSON};q=0"),
    ("everything of weight zero", ACCEPT, "*/*;q=0"),
    ("another application type", V1, "application/xml, text/*"),
    ("another multipart type", V1, "multipart/form-data"),
    ("garbage", V1, ";;,=,/,q=1"),
)
async def test_it_is_not_acceptable_when_asked_for(shelf: Shelf, accept: str) -> None:
    assert (await shelf.offering.ask(accept=accept)).status == 406


@each(
    "accept status",
    ("multipart carries it", V1, CLIENT, 200),
    ("no Accept header gets multipart", V1, None, 200),
    ("any type gets multipart", ACCEPT, "*/*", 200),
    ("a light multipart is still the only one", ACCEPT, f"{JSON},{MULTIPART};q=0.1", 200),
    ("JSON cannot carry it", V1, JSON, 406),
    ("Expo's JSON cannot carry it", V1, f"{EXPO},{JSON}", 406),
    ("multipart of weight zero", ACCEPT, f"{MULTIPART};q=0,{JSON}", 406),
    ("other types", V1, "text/html", 406),
)
async def test_a_rollback_is_a_directive(shelf: Shelf, accept: str | None, status: int) -> None:
    reply = await shelf.back.ask(accept=accept)
    assert reply.status == status
    if status == 200:
        answer = shelf.back.device().reader.read(reply)
        assert answer.manifest is None
        assert answer.directive is not None
        assert answer.directive.type == "rollBackToEmbedded"


@each(
    "accept",
    ("multipart", V1, CLIENT),
    ("no Accept header", V1, None),
    ("JSON", V1, JSON),
    ("Expo's JSON", V1, EXPO),
)
@pytest.mark.parametrize("state", ["runs the newest", "has no line"])
async def test_nothing_new_is_said_so_that_clients_understand(
    shelf: Shelf, accept: str | None, state: str
) -> None:
    app, current = (
        (shelf.offering, shelf.newest) if state == "runs the newest" else (shelf.empty, None)
    )
    reply = await app.ask(accept=accept, expo_current_update_id=current)
    # JSON has no directive: there it is 204, which needs the protocol version (Expo Updates 1).
    assert reply.status == 204 or (reply.status == 200 and form(reply) == MULTIPART)
    assert reply.header("expo-protocol-version") == "1"
    answer = app.device().reader.read(reply)
    assert answer.manifest is None
    assert answer.directive is None or answer.directive.type == "noUpdateAvailable"


async def test_204_has_no_content_type_and_no_body(shelf: Shelf) -> None:
    reply = await shelf.offering.ask(accept=JSON, expo_current_update_id=shelf.newest)
    assert reply.status == 204
    assert reply.header("content-type") is None
    assert reply.header("content-length") in {None, "0"}


@each(
    "version answered",
    ("version 1", V1, "1", "1"),
    ("version 0", "Expo Updates 0", "0", "0"),
    ("no version means 0", "Expo Updates 0", None, "0"),
    ("spaces around it", "RFC 9110, 5.5", " 1 ", "1"),
)
async def test_the_answer_is_of_the_protocol_version_that_was_asked_for(
    shelf: Shelf, version: str | None, answered: str
) -> None:
    reply = await shelf.offering.ask(expo_protocol_version=version)
    assert reply.status == 200
    assert reply.header("expo-protocol-version") == answered


@each(
    "version",
    ("a later version", V1, "2"),
    ("a word", V1, "one"),
    ("a decimal", V1, "1.0"),
    ("a negative number", V1, "-1"),
    ("a list", V1, "1, 0"),
)
async def test_an_unknown_protocol_version_is_refused(shelf: Shelf, version: str) -> None:
    assert (await shelf.offering.ask(expo_protocol_version=version)).status in {400, 406}


async def test_version_0_gets_the_manifest_it_runs_for_want_of_a_directive(shelf: Shelf) -> None:
    reply = await shelf.offering.ask(
        expo_protocol_version=None, expo_current_update_id=shelf.newest, accept=JSON
    )
    answer = shelf.offering.device().reader.read(reply)
    assert answer.manifest is not None
    assert answer.manifest.id == shelf.newest


async def test_version_0_never_gets_a_directive(shelf: Shelf) -> None:
    for app in (shelf.back, shelf.empty):
        reply = await app.ask(expo_protocol_version="0")
        assert reply.status == 404


@each(
    "name value",
    ("structured fields are of version 0", V1, "expo-sfv-version", "0"),
    ("no shared cache keeps an answer", V1, "cache-control", "private, max-age=0"),
    ("the protocol version is named", "Android", "expo-protocol-version", "1"),
)
@pytest.mark.parametrize("state", ["update", "rollback", "nothing"])
async def test_every_answer_has_the_headers_of_the_protocol(
    shelf: Shelf, state: str, name: str, value: str
) -> None:
    app = {"update": shelf.offering, "rollback": shelf.back, "nothing": shelf.empty}[state]
    assert (await app.ask()).header(name) == value
