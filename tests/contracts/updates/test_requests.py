"""What requests may say, and what nonsense they may talk: it is answered, never with a 5xx."""

from __future__ import annotations

import uuid

import hypothesis
import pytest
from hypothesis import strategies
from tests.contracts.updates.cases import each
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import App
from tests.fakes.expo_client import structured, wire
from tests.fakes.expo_client.wire import Reply

from shipway.intake.updates import CHANNEL

pytestmark = pytest.mark.anyio

V1, SHIPWAY = "Expo Updates 1", "Shipway"
ID = "5f0a1c3e-9a3c-4a53-8a9b-0d6f7b1f2a31"


async def ask_raw(app: App, *pairs: tuple[str, str], method: str = "GET") -> Reply:
    """Ask with headers that may come twice; the edge's own is added."""
    known = [("expo-platform", "android"), ("expo-runtime-version", "1"),
             ("expo-protocol-version", "1")]  # fmt: skip
    edge = (CHANNEL, f"{app.name}/{app.channel}")
    return await wire.get(app.url, [*known, *pairs, edge], method=method)


@each(
    "name value",
    ("no platform", V1, "expo_platform", None),
    ("an unknown platform", V1, "expo_platform", "web"),
    ("a platform in capitals", V1, "expo_platform", "Android"),
    ("an empty platform", V1, "expo_platform", ""),
    ("two platforms", V1, "expo_platform", "ios, android"),
    ("no runtime version", V1, "expo_runtime_version", None),
    ("an empty runtime version", V1, "expo_runtime_version", ""),
    ("a runtime version of 4,000 characters", SHIPWAY, "expo_runtime_version", "1" * 4000),
)
async def test_a_request_is_refused_for(shelf: Shelf, name: str, value: str | None) -> None:
    reply = await shelf.offering.ask(**{name: value})
    assert reply.status == 400
    assert reply.header("content-type") == "application/json", "clients send Expo-JSON-Error: true"
    assert reply.header("cache-control") == "no-store"
    assert shelf.offering.name.encode() not in reply.body


@each(
    "channel",
    ("an unknown channel", V1, "nowhere"),
    ("a channel that leaves its folder", SHIPWAY, "../offering/production"),
    ("a channel of another app", SHIPWAY, "back/production"),
    ("a channel of 4,000 characters", SHIPWAY, "p" * 4000),
    ("a channel with a NUL escaped", SHIPWAY, "production%00"),
    ("a channel that is not ASCII", SHIPWAY, "prödüktion"),
)
async def test_there_is_no_such(shelf: Shelf, channel: str) -> None:
    assert (await shelf.offering.ask(expo_channel_name=channel)).status == 404


@each(
    "runtime",
    ("another version", V1, "2"),
    ("a fingerprint", V1, "ab796f41" * 5),
    ("a version that is not ASCII", SHIPWAY, "1.0-ü"),
    ("a path", SHIPWAY, "../1"),
    ("a list of two", SHIPWAY, "1, 1"),
)
async def test_an_unknown_runtime_version_is_offered_nothing(shelf: Shelf, runtime: str) -> None:
    reply = await shelf.offering.ask(expo_runtime_version=runtime.encode().decode("latin-1"))
    answer = shelf.offering.device().reader.read(reply)
    assert answer.manifest is None


@each(
    "current",
    ("as Android writes it", "Android", str.lower),
    ("in capitals", "iOS", str.upper),
    ("with spaces around", "RFC 9110, 5.5", lambda text: f"  {text} "),
)
async def test_the_running_update_is_recognised(shelf: Shelf, current: object) -> None:
    assert callable(current)
    reply = await shelf.offering.ask(expo_current_update_id=current(shelf.newest))
    assert shelf.offering.device().reader.read(reply).manifest is None


@each(
    "name value",
    ("no id of the installation", V1, "eas_client_id", None),
    ("an empty id of the installation", SHIPWAY, "eas_client_id", ""),
    ("an id that is no UUID", SHIPWAY, "eas_client_id", "me"),
    ("an id of 4,000 characters", SHIPWAY, "eas_client_id", "f" * 4000),
    ("an id that is not ASCII", SHIPWAY, "eas_client_id", "\xfc\xff"),
    ("an unknown running update", V1, "expo_current_update_id", str(uuid.uuid4())),
    ("a running update that is no UUID", SHIPWAY, "expo_current_update_id", "../../etc/passwd"),
    ("an embedded update that is no UUID", SHIPWAY, "expo_embedded_update_id", "'; drop table"),
    ("no embedded update", V1, "expo_embedded_update_id", None),
    ("an older update", V1, "expo_recent_failed_update_ids", f'"{ID}"'),
    ("failed updates that are no list", "SFV", "expo_recent_failed_update_ids", '"a" "b"'),
    ("failed updates cut off", "SFV", "expo_recent_failed_update_ids", '"a'),
    ("failed updates that are numbers", "SFV", "expo_recent_failed_update_ids", "1, 2.5, ?1"),
    ("an empty list of failed updates", "SFV", "expo_recent_failed_update_ids", ""),
    ("a failed update in brackets", "SFV", "expo_recent_failed_update_ids", f'("{ID}")'),
    ("failed updates that are not ASCII", "SFV", "expo_recent_failed_update_ids", '"\xfc"'),
    (
        "a thousand failed updates",
        SHIPWAY,
        "expo_recent_failed_update_ids",
        structured.string_list([ID] * 1000)[:7000],
    ),
    ("a fatal error of iOS's length", "iOS", "expo_fatal_error", "x" * 1025),
    ("a fatal error of 8 KB", SHIPWAY, "expo_fatal_error", "TypeError " * 800),
    ("a fatal error in UTF-8", SHIPWAY, "expo_fatal_error", "Größe 💥".encode().decode("latin-1")),
    ("a fatal error in Latin-1", SHIPWAY, "expo_fatal_error", "Gr\xf6\xdfe"),
    ("a fatal error with control characters", SHIPWAY, "expo_fatal_error", "a\tb"),
    ("extra parameters", V1, "expo_extra_params", 'a="b", c="d"'),
    ("malformed extra parameters", "SFV", "expo_extra_params", "a=,,="),
    ("a conditional request", SHIPWAY, "if_none_match", "*"),
    ("a range", SHIPWAY, "range", "bytes=0-1"),
    ("an encoding that nobody knows", SHIPWAY, "accept_encoding", "snappy"),
    ("a body that is announced but empty", SHIPWAY, "content_length", "0"),
    ("a language", SHIPWAY, "accept_language", "de"),
    ("a cookie", SHIPWAY, "cookie", "a=b"),
    ("another environment", "Android", "expo_updates_environment", "NARROW"),
)
async def test_the_update_is_offered_in_spite_of(
    shelf: Shelf, name: str, value: str | None
) -> None:
    reply = await shelf.offering.ask(**{name: value})
    answer = shelf.offering.device().reader.read(reply)
    assert answer.manifest is not None
    assert answer.manifest.id == shelf.newest


@each(
    "failed",
    ("alone", V1, '"{}"'),
    ("among others", V1, f'"{ID}", "{{}}"'),
    ("before others, without a space", "SFV", f'"{{}}","{ID}"'),
    ("with a parameter", "SFV", '"{}";at=1'),
)
@pytest.mark.parametrize("case", ["small", "capitals"])
async def test_an_update_that_failed_is_not_offered_again(
    shelf: Shelf, failed: str, case: str
) -> None:
    named = shelf.newest if case == "small" else shelf.newest.upper()
    reply = await shelf.offering.ask(
        eas_client_id=str(uuid.uuid4()), expo_recent_failed_update_ids=failed.format(named)
    )
    offered = shelf.offering.device().reader.read(reply).manifest
    assert offered is None or offered.id != shelf.newest


async def test_two_headers_of_a_list_are_one_list(shelf: Shelf) -> None:
    name = "expo-recent-failed-update-ids"
    reply = await ask_raw(
        shelf.offering, (name, f'"{ID}"'), (name, f'"{shelf.newest}"'), ("eas-client-id", "two")
    )
    offered = shelf.offering.device().reader.read(reply).manifest
    assert offered is None or offered.id != shelf.newest


@each(
    "name value",
    ("the platform twice, different", SHIPWAY, "expo-platform", "ios"),
    ("the protocol version twice, different", SHIPWAY, "expo-protocol-version", "0"),
    ("the channel twice", SHIPWAY, "expo-channel-name", "production"),
    ("the id of the installation twice", SHIPWAY, "eas-client-id", ID),
)
async def test_a_header_that_comes_twice_breaks_nothing(
    shelf: Shelf, name: str, value: str
) -> None:
    reply = await ask_raw(shelf.offering, (name, value), (name, value))
    assert reply.status in {200, 204, 400, 404}


@each(
    "name value",
    ("Accept", SHIPWAY, "accept", "text/html, " * 200),
    ("Expo-Expect-Signature", SHIPWAY, "expo_expect_signature", "sig, " * 500),
)
async def test_a_header_of_thousands_of_characters_is_not_parsed(
    shelf: Shelf, name: str, value: str
) -> None:
    assert (await shelf.offering.ask(**{name: value})).status == 431


async def test_a_failure_of_what_nobody_was_offered_is_not_remembered(shelf: Shelf) -> None:
    """Else whoever invents updates and installations fills the memory."""
    app, client = shelf.offering, str(uuid.uuid4())
    invented = structured.string_list([str(uuid.uuid4()) for _ in range(5)])
    await app.ask(eas_client_id=client, expo_recent_failed_update_ids=invented)
    assert not app.world.shipway.sightings.failed(client)


@each(
    "method status",
    ("HEAD has the headers of GET", "RFC 9110, 9.3.2", "HEAD", 200),
    ("POST is not allowed", "RFC 9110, 15.5.6", "POST", 405),
    ("PUT is not allowed", "RFC 9110, 15.5.6", "PUT", 405),
    ("DELETE is not allowed", "RFC 9110, 15.5.6", "DELETE", 405),
    ("PATCH is not allowed", "RFC 9110, 15.5.6", "PATCH", 405),
)
async def test_methods(shelf: Shelf, method: str, status: int) -> None:
    reply = await ask_raw(shelf.offering, method=method)
    assert reply.status == status
    if status == 405:
        assert reply.header("allow") == "GET, HEAD"
    else:
        whole = await ask_raw(shelf.offering)
        assert reply.body == b""
        assert reply.header("content-length") == str(len(whole.body))


@each(
    "path",
    ("another endpoint", SHIPWAY, "/_updates/other"),
    ("the folder", SHIPWAY, "/_updates/"),
    ("the manifest as a folder", SHIPWAY, "/_updates/manifest/"),
    ("dots", SHIPWAY, "/_updates/manifest/../../secrets"),
)
async def test_there_is_nothing_at(shelf: Shelf, path: str) -> None:
    app = shelf.offering
    assert (await app.fetch(app.world.url + path, {"expo-platform": "ios"})).status == 404


async def test_without_the_edge_nobody_gets_an_update(shelf: Shelf) -> None:
    headers = {"expo-platform": "android", "expo-runtime-version": "1"}
    assert (await wire.get(shelf.offering.url, headers)).status == 404


NAMES = [
    "accept", "accept-encoding", "a-im", "eas-client-id", "expo-channel-name",
    "expo-current-update-id", "expo-embedded-update-id", "expo-expect-signature",
    "expo-extra-params", "expo-fatal-error", "expo-platform", "expo-protocol-version",
    "expo-recent-failed-update-ids", "expo-requested-update-id", "expo-runtime-version",
    "if-none-match", "if-range", "range",
]  # fmt: skip
VALUES = strategies.text(
    strategies.characters(max_codepoint=255, exclude_characters="\0\r\n", exclude_categories=[]),
    max_size=200,
) | strategies.sampled_from(["*", "q=0", '"', "bytes=9-1", "bytes=0-0,1-1", "W/", '"a', "=", ";q"])


@hypothesis.settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    pairs=strategies.lists(strategies.tuples(strategies.sampled_from(NAMES), VALUES), max_size=6),
    of_asset=strategies.booleans(),
)
async def test_no_header_is_ever_answered_with_a_server_error(
    shelf: Shelf, pairs: list[tuple[str, str]], *, of_asset: bool
) -> None:
    app = shelf.offering
    edge = (CHANNEL, f"{app.name}/{app.channel}")
    url = f"{app.world.url}/_updates/assets/{'0' * 64}.png" if of_asset else app.url
    reply = await wire.get(url, [*pairs, edge])
    assert reply.status < 500
