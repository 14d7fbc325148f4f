"""Assets: the right bytes in every encoding, for ever at one address."""

from __future__ import annotations

import json

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import FONT, PICTURE, App, bundle
from tests.fakes.expo_client import headers, wire
from tests.fakes.expo_client.build import sha256
from tests.fakes.expo_client.wire import Reply

pytestmark = pytest.mark.anyio

CODE = bundle("one")
CODING = "RFC 9110, 12.5.3"
RANGE = "RFC 9110, 14"
FOR_EVER = "public, max-age=31536000, immutable"


async def address(app: App, name: str = "code") -> str:
    """Return the address of the bundle, the picture or the font."""
    found = json.loads((await app.ask(accept="application/json")).body)
    if name == "code":
        return str(found["launchAsset"]["url"])
    ending = {"picture": ".png", "font": ".ttf"}[name]
    return next(str(a["url"]) for a in found["assets"] if a["fileExtension"] == ending)


async def get(app: App, name: str = "code", **told: str) -> Reply:
    known = {key.replace("_", "-"): value for key, value in told.items()}
    return await app.fetch(await address(app, name), known)


@each(
    "accept encoding",
    ("Android's header", "Android", headers.ENCODINGS["android"], "zstd"),
    ("iOS's header", "iOS", headers.ENCODINGS["ios"], "br"),
    ("zstd alone", CODING, "zstd", "zstd"),
    ("brotli alone", CODING, "br", "br"),
    ("gzip alone", CODING, "gzip", "gzip"),
    ("names in any case", CODING, "GZip", "gzip"),
    ("the heavier of two", CODING, "br;q=0.2, gzip;q=0.9", "gzip"),
    ("the heaviest of three", CODING, "zstd;q=0.5,br;q=1.0,gzip;q=0.1", "br"),
    ("one that is refused", CODING, "zstd;q=0, gzip", "gzip"),
    ("one that is refused with digits", CODING, "br;q=0.000, gzip;q=0.001", "gzip"),
    ("unknown ones beside it", CODING, "snappy, gzip;q=0.5, x-magic", "gzip"),
    ("a word that only contains a name", CODING, "brotli, xgzip, zstd-dict", ""),
    ("anything", CODING, "*", "zstd"),
    ("anything but zstd", CODING, "zstd;q=0, *", "br"),
    ("only what is plain", CODING, "identity", ""),
    ("plain is preferred", CODING, "identity;q=1, br;q=0.5", ""),
    ("nothing is asked for", CODING, "", ""),
    ("everything named is refused", CODING, "zstd;q=0,br;q=0,gzip;q=0", ""),
    ("anything is refused but plain", CODING, "*;q=0, identity", ""),
    ("deflate is not kept", CODING, "deflate", ""),
    ("spaces", CODING, "  gzip ;  q=0.5 ", "gzip"),
    ("an unsound weight does not count", CODING, "gzip;q=5", ""),
)
async def test_the_bundle_is_encoded_for(shelf: Shelf, accept: str, encoding: str) -> None:
    reply = await get(shelf.offering, accept_encoding=accept)
    assert reply.status == 200
    assert (reply.header("content-encoding") or "") == encoding
    assert reply.decoded == CODE
    assert reply.header("content-length") == str(len(reply.body))
    if encoding:
        assert len(reply.body) < len(CODE)


@each(
    "accept",
    ("nothing at all", CODING, "*;q=0"),
    ("neither plain nor anything else", CODING, "identity;q=0, zstd;q=0, br;q=0, gzip;q=0"),
)
async def test_it_is_not_acceptable_to_accept(shelf: Shelf, accept: str) -> None:
    assert (await get(shelf.offering, accept_encoding=accept)).status == 406


async def test_a_client_without_accept_encoding_gets_plain_bytes(shelf: Shelf) -> None:
    reply = await get(shelf.offering)
    assert reply.header("content-encoding") is None
    assert reply.body == CODE


@pytest.mark.parametrize(("name", "data"), [("picture", PICTURE), ("font", FONT)])
async def test_every_asset_has_the_bytes_of_its_hash(shelf: Shelf, name: str, data: bytes) -> None:
    for accept in ("zstd, br, gzip", ""):
        reply = await get(shelf.offering, name, accept_encoding=accept)
        assert reply.decoded == data
    found = json.loads((await shelf.offering.ask(accept="application/json")).body)
    assert sha256(data) in {asset["hash"] for asset in found["assets"]}


async def test_a_picture_is_not_compressed_again(shelf: Shelf) -> None:
    reply = await get(shelf.offering, "picture", accept_encoding="zstd, br, gzip")
    assert reply.header("content-encoding") is None


@each(
    "name value",
    ("it is kept for ever", "Expo Updates 1", "cache-control", FOR_EVER),
    ("its type is the manifest's", "Expo Updates 1", "content-type", "application/javascript"),
    ("no type is guessed", "Shipway", "x-content-type-options", "nosniff"),
    ("a browser runs nothing of it", "Shipway", "content-security-policy", "sandbox"),
    ("parts of it may be asked for", "RFC 9110, 14.3", "accept-ranges", "bytes"),
)
async def test_of_a_bundle(shelf: Shelf, name: str, value: str) -> None:
    assert (await get(shelf.offering)).header(name) == value


async def test_caches_are_told_what_the_bundle_depends_on(shelf: Shelf) -> None:
    """RFC 9110, 12.5.5, and RFC 3229: the address of a bundle may answer with a patch."""
    named = {name.strip() for name in ((await get(shelf.offering)).header("vary") or "").split(",")}
    assert {"accept-encoding", "a-im", "expo-current-update-id"} <= named
    assert (await get(shelf.offering, "font")).header("vary") == "accept-encoding"


async def test_every_encoding_has_an_etag_of_its_own(shelf: Shelf) -> None:
    """RFC 9110, 8.8.3.3."""
    etags = [
        (await get(shelf.offering, accept_encoding=accept)).header("etag")
        for accept in ("zstd", "br", "gzip", "")
    ]
    assert None not in etags
    assert len(set(etags)) == 4


@each(
    "condition status",
    ("the same etag", "RFC 9110, 13.1.2", "{}", 304),
    ("a weak one", "RFC 9110, 13.1.2", "W/{}", 304),
    ("one of several", "RFC 9110, 13.1.2", '"x", {}, "y"', 304),
    ("any", "RFC 9110, 13.1.2", "*", 304),
    ("another", "RFC 9110, 13.1.2", '"x"', 200),
    ("garbage", "RFC 9110, 13.1.2", "x,,", 200),
)
async def test_if_none_match(shelf: Shelf, condition: str, status: int) -> None:
    etag = (await get(shelf.offering)).header("etag") or ""
    reply = await get(shelf.offering, if_none_match=condition.format(etag))
    assert reply.status == status
    assert reply.header("etag") == etag
    assert reply.header("cache-control") == FOR_EVER
    assert reply.body == (b"" if status == 304 else CODE)


SIZE = len(CODE)


@each(
    "asked first last",
    ("the beginning", RANGE, "bytes=0-9", 0, 9),
    ("the rest", RANGE, "bytes=100-", 100, SIZE - 1),
    ("the end", RANGE, "bytes=-10", SIZE - 10, SIZE - 1),
    ("one byte", RANGE, "bytes=5-5", 5, 5),
    ("more than there is", RANGE, f"bytes=10-{SIZE * 2}", 10, SIZE - 1),
    ("more of the end than there is", RANGE, f"bytes=-{SIZE * 2}", 0, SIZE - 1),
)
async def test_a_part(shelf: Shelf, asked: str, first: int, last: int) -> None:
    reply = await get(shelf.offering, range=asked)
    assert reply.status == 206
    assert reply.body == CODE[first : last + 1]
    assert reply.header("content-range") == f"bytes {first}-{last}/{SIZE}"


@each(
    "asked status",
    ("beyond the end", RANGE, f"bytes={SIZE}-", 416),
    ("the last none", RANGE, "bytes=-0", 416),
    ("several parts are not heeded", RANGE, "bytes=0-1,5-6", 200),
    ("backwards is not heeded", RANGE, "bytes=9-1", 200),
    ("another unit is not heeded", RANGE, "lines=0-1", 200),
    ("garbage is not heeded", RANGE, "bytes=a-b", 200),
)
async def test_a_part_that_cannot_be(shelf: Shelf, asked: str, status: int) -> None:
    reply = await get(shelf.offering, range=asked)
    assert reply.status == status
    if status == 416:
        assert reply.header("content-range") == f"bytes */{SIZE}"
    else:
        assert reply.body == CODE


async def test_a_part_of_something_else_is_of_no_use(shelf: Shelf) -> None:
    """RFC 9110, 13.1.5."""
    etag = (await get(shelf.offering)).header("etag") or ""
    same = await get(shelf.offering, range="bytes=0-9", if_range=etag)
    other = await get(shelf.offering, range="bytes=0-9", if_range='"x"')
    assert (same.status, other.status) == (206, 200)


async def test_a_part_of_an_encoded_bundle_is_of_the_encoded_bytes(shelf: Shelf) -> None:
    """RFC 9110, 14.1.2: an interrupted download goes on in its encoding."""
    whole = await get(shelf.offering, accept_encoding="br")
    begun = await get(shelf.offering, accept_encoding="br", range="bytes=0-99")
    rest = await get(shelf.offering, accept_encoding="br", range="bytes=100-")
    assert begun.header("content-encoding") == "br"
    assert begun.body + rest.body == whole.body


HASH = "0" * 64


@each(
    "name",
    ("a file that was never published", "Expo Updates 1", f"{HASH}.png"),
    ("a path upwards", "Shipway", "../../settings.toml"),
    ("an escaped path upwards", "Shipway", "..%2f..%2fsettings.toml"),
    ("a path escaped twice", "Shipway", "%252e%252e%252fsettings.toml"),
    ("backslashes", "Shipway", "..%5c..%5csettings.toml"),
    ("an absolute path", "Shipway", "/etc/passwd"),
    ("an escaped NUL", "Shipway", f"{HASH}.png%00"),
    ("an escaped line end", "Shipway", f"{HASH}.png%0d%0ax:y"),
    ("capitals", "Shipway", f"{HASH.replace('0', 'A')}.png"),
    ("no ending", "Shipway", HASH),
    ("the copy of an encoding", "Shipway", f"{HASH}.br"),
    ("nothing", "Shipway", ""),
    ("4,000 characters", "Shipway", "a" * 4000),
)
async def test_there_is_no_asset(shelf: Shelf, name: str) -> None:
    app = shelf.offering
    reply = await app.fetch(f"{app.world.url}/_updates/assets/{name}", {})
    assert reply.status == 404
    assert reply.header("cache-control") == "no-store"


async def test_compressed_copies_and_boards_are_not_there_to_be_asked_for(shelf: Shelf) -> None:
    app = shelf.offering
    url = await address(app)
    for name in (
        f"{url}.zst",
        url.replace(".bundle", ".zst"),
        url.replace(".bundle", ".bundle.br"),
    ):
        reply = await app.fetch(name, {})
        assert reply.status == 404 or reply.body == CODE
    for path in ("/_updates/boards/offering/production.json", "/_updates/files/"):
        assert (await app.fetch(app.world.url + path, {})).status == 404


async def test_head_says_what_get_would(shelf: Shelf) -> None:
    url = await address(shelf.offering)
    said = await wire.get(url, {"accept-encoding": "br"}, method="HEAD")
    got = await wire.get(url, {"accept-encoding": "br"})
    assert said.status == 200
    assert said.body == b""
    for name in ("content-length", "content-encoding", "etag", "content-type"):
        assert said.header(name) == got.header(name)


@pytest.mark.parametrize(
    "change", ["a publish", "a republish", "a rollback", "another branch", "a pause"]
)
async def test_an_address_never_changes_its_bytes(app: App, change: str) -> None:
    """Expo Updates 1: phones that are slow still load what they were offered."""
    await app.publish("one")
    url = await address(app)
    match change:
        case "a publish":
            await app.publish("two")
        case "a republish":
            await app.publish("two")
            await app.roll_back()
        case "a rollback":
            await app.roll_back("embedded")
        case "another branch":
            await app.publish("two", branch="beta")
            await app.change_channel(branch="beta")
        case _:
            await app.change_channel(paused=True)
    assert (await app.fetch(url, {})).body == CODE


async def test_a_bundle_of_megabytes_arrives_whole(app: App) -> None:
    code = bundle("large", size=3_000_000)
    await app.publish(code=code, assets={})
    phone = app.device()
    phone.start()
    assert (await phone.check()).loaded
    assert sha256(code) in {sha256(data) for data in phone.storage.files.values()}
