"""What stands in a manifest, and how it is wrapped: held against both clients' readers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.shelf import Shelf
from tests.contracts.updates.world import FONT, PICTURE, PLATFORMS, App, bundle
from tests.fakes.expo_client import dates, multipart
from tests.fakes.second_opinion import java, npm

pytestmark = pytest.mark.anyio

V1 = "Expo Updates 1"
CODE = bundle("one")
Manifest = dict[str, Any]


async def manifest(app: App, platform: str = "android") -> Manifest:
    reply = await app.ask(expo_platform=platform, accept="application/expo+json")
    found: Manifest = json.loads(reply.body)
    return found


def sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def all_assets(found: Manifest) -> list[dict[str, str]]:
    return [found["launchAsset"], *found["assets"]]


RULES: list[tuple[str, str, Callable[[Manifest], bool]]] = [
    ("the id is a UUID", "Android, iOS", lambda m: str(uuid.UUID(m["id"])) == m["id"].lower()),
    ("the id is in small letters", "Shipway", lambda m: m["id"] == m["id"].lower()),
    (
        "the time has three digits and a Z",
        "Android",
        lambda m: bool(re.fullmatch(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\d\.\d{3}Z", m["createdAt"])),
    ),
    (
        "both platforms read the same time",
        "Android, iOS",
        lambda m: dates.android(m["createdAt"]) == dates.ios(m["createdAt"]),
    ),
    ("the runtime version is the asked one", V1, lambda m: m["runtimeVersion"] == "1"),
    ("metadata is there", "Expo Updates 0", lambda m: isinstance(m["metadata"], dict)),
    (
        "metadata holds texts only",
        V1,
        lambda m: all(isinstance(value, str) for value in m["metadata"].values()),
    ),
    ("extra is there", "Expo Updates 0", lambda m: isinstance(m["extra"], dict)),
    (
        "extra has the public configuration",
        "expo-constants",
        lambda m: m["extra"]["expoClient"]["slug"] == "offering",
    ),
    (
        "every asset has hash, key, type and address",
        "iOS",
        lambda m: all({"hash", "key", "contentType", "url"} <= set(a) for a in all_assets(m)),
    ),
    (
        "every asset but the bundle has its ending",
        "iOS, Android",
        lambda m: [a["fileExtension"] for a in m["assets"]] == [".png", ".ttf"],
    ),
    (
        "every hash is unpadded base64url",
        V1,
        lambda m: all(re.fullmatch(r"[\w-]{43}", a["hash"]) for a in all_assets(m)),
    ),
    ("the bundle's hash is of its bytes", V1, lambda m: m["launchAsset"]["hash"] == sha256(CODE)),
    (
        "the bundle's type is JavaScript",
        "EAS Update",
        lambda m: m["launchAsset"]["contentType"] == "application/javascript",
    ),
    (
        "the keys of assets are what Metro baked into the code",
        "Metro",
        lambda m: [a["key"] for a in m["assets"]] == [md5(PICTURE), md5(FONT)],
    ),
    ("the bundle's key is its MD5", "EAS Update", lambda m: m["launchAsset"]["key"] == md5(CODE)),
    (
        "types of assets are right",
        "Shipway",
        lambda m: [a["contentType"] for a in m["assets"]] == ["image/png", "font/ttf"],
    ),
    (
        "every address is absolute",
        "Android",
        lambda m: all(a["url"].startswith("http://127.0.0.1:") for a in all_assets(m)),
    ),
    (
        "no key leaves its folder",
        "expo-updates 57.0.14",
        lambda m: not any(set("/\\\0") & set(a["key"]) or ".." in a["key"] for a in all_assets(m)),
    ),
    ("no key comes twice", "Android", lambda m: len({a["key"] for a in all_assets(m)}) == 3),
]


@each("check", *RULES)
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_in_a_manifest(
    shelf: Shelf, platform: str, check: Callable[[Manifest], bool]
) -> None:
    assert check(await manifest(shelf.offering, platform))


async def test_each_platform_has_an_update_of_its_own(shelf: Shelf) -> None:
    """EAS Update: one group, two ids."""
    both = [await manifest(shelf.offering, platform) for platform in PLATFORMS]
    assert both[0]["id"] != both[1]["id"]
    assert both[0]["metadata"]["group"] == both[1]["metadata"]["group"]


async def test_java_reads_the_times_as_they_are_meant(shelf: Shelf) -> None:
    texts = [(await manifest(shelf.offering, platform))["createdAt"] for platform in PLATFORMS]
    assert java.dates(texts) == [dates.ios(text) for text in texts]


# --- the wrapping -----------------------------------------------------------------------------------

WRAPPING: list[tuple[str, str, Callable[[bytes, bytes], bool]]] = [
    ("it begins with the boundary", "iOS", lambda body, mark: body.startswith(b"--" + mark)),
    (
        "it ends with the boundary and CRLF",
        "iOS",
        lambda body, mark: body.endswith(b"\r\n--" + mark + b"--\r\n"),
    ),
    (
        "every line ends in CRLF",
        "OkHttp",
        lambda body, _: not re.search(rb"(?<!\r)\n", body),
    ),
    (
        "the signature's name is in small letters",
        "iOS",
        lambda body, _: b"\r\nexpo-signature: " in body and b"Expo-Signature" not in body,
    ),
    (
        "no part has a file name",
        "@expo/multipart-body-parser",
        lambda body, _: b"filename" not in body,
    ),
    (
        "the boundary stands in no part",
        "RFC 2046, 5.1.1",
        lambda body, mark: body.count(mark) == body.count(b"\r\n--" + mark) + 1,
    ),
    (
        "part names are quoted",
        "RFC 2183",
        lambda body, _: b'name="manifest"' in body and b'name="extensions"' in body,
    ),
]
SIGNED = 'sig, keyid="main", alg="rsa-v1_5-sha256"'


@each("check", *WRAPPING)
async def test_of_a_multipart_answer(shelf: Shelf, check: Callable[[bytes, bytes], bool]) -> None:
    reply = await shelf.offering.ask(expo_expect_signature=SIGNED)
    assert check(reply.body, multipart.boundary(reply.header("content-type") or ""))


@pytest.mark.parametrize("state", ["update", "rollback", "nothing"])
async def test_every_reader_finds_the_same_parts(shelf: Shelf, node: npm.Node, state: str) -> None:
    app = {"update": shelf.offering, "rollback": shelf.back, "nothing": shelf.empty}[state]
    reply = await app.ask(expo_expect_signature=SIGNED)
    kind = reply.header("content-type") or ""
    mark = multipart.boundary(kind)
    ios = multipart.read_ios(reply.body, mark)
    assert [part.name for part in ios] == (
        ["manifest", "extensions"] if state == "update" else ["directive"]
    )
    assert ios == multipart.read_android(reply.body, mark)
    said = node.parts(kind, reply.body)
    assert [(part["name"], part["body"].encode()) for part in said] == [
        (part.name, part.body) for part in ios
    ]


async def test_okhttp_finds_the_same_parts(shelf: Shelf) -> None:
    replies = [await app.ask() for app in (shelf.offering, shelf.back, shelf.empty)]
    asked = []
    for reply in replies:
        mark = multipart.boundary(reply.header("content-type") or "")
        asked.append((mark.decode(), reply.body))
    own = [[p.body for p in multipart.read_ios(body, mark.encode())] for mark, body in asked]
    assert java.parts(asked) == own


async def test_every_form_has_the_same_bytes_of_the_manifest(shelf: Shelf) -> None:
    """Expo Updates 1: a signature is of exact bytes."""
    plain = [
        (await shelf.offering.ask(accept=accept)).body
        for accept in ("application/json", "application/expo+json")
    ]
    reply = await shelf.offering.ask()
    parts = multipart.read_ios(reply.body, multipart.boundary(reply.header("content-type") or ""))
    assert plain == [parts[0].body] * 2


async def test_the_manifest_is_the_same_for_everybody_and_at_every_time(shelf: Shelf) -> None:
    bodies = {
        (await shelf.offering.ask(accept="application/json", **headers)).body
        for headers in (
            {},
            {"eas_client_id": str(uuid.uuid4())},
            {"expo_current_update_id": shelf.older},
            {"host": "elsewhere.example"},
        )
    }
    assert len(bodies) == 1


async def test_text_beyond_ascii_is_signed_and_sent_as_utf_8(app: App) -> None:
    await app.publish(message="größer 💥", version="v1-ü")
    phone = app.device(trust=await app.trust())
    phone.start()
    outcome = await phone.check()
    assert outcome.loaded
    assert outcome.answer is not None
    assert outcome.answer.manifest is not None
    assert outcome.answer.manifest.metadata["release"] == "v1-ü"


async def test_an_update_without_assets_is_sound(app: App) -> None:
    await app.publish(assets={})
    for platform in PLATFORMS:
        phone = app.device(platform)
        phone.start()
        assert (await phone.check()).loaded


async def test_an_asset_that_is_listed_twice_is_in_the_manifest_once(app: App) -> None:
    await app.publish(assets={"a.png": PICTURE, "copy.png": PICTURE})
    assert len((await manifest(app))["assets"]) == 1


ENDINGS = {
    "gif": "image/gif", "jpg": "image/jpeg", "webp": "image/webp", "svg": "image/svg+xml",
    "otf": "font/otf", "woff2": "font/woff2", "mp3": "audio/mpeg", "mp4": "video/mp4",
    "json": "application/json", "db": "application/octet-stream",
}  # fmt: skip


async def test_the_type_of_an_asset_is_by_its_ending_and_served_as_announced(app: App) -> None:
    assets = {f"x.{ending}": f"content of {ending}".encode() for ending in ENDINGS}
    await app.publish(assets=assets)
    found = (await manifest(app))["assets"]
    assert {a["fileExtension"][1:]: a["contentType"] for a in found} == ENDINGS
    for asset in found:
        reply = await app.fetch(asset["url"], {})
        assert reply.header("content-type") == asset["contentType"]
