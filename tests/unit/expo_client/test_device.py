from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import bsdiff4
import pytest
from tests.fakes.expo_client import dates
from tests.fakes.expo_client.build import Build, sha256
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.wire import Reply, Unreachable

pytestmark = pytest.mark.anyio

URL = "https://updates.example/manifest"
EMBEDDED = "00000000-0000-4000-8000-000000000001"
DAY = 86_400_000
NOON = 20_000 * DAY + DAY // 2

Answer = Callable[[Mapping[str, str]], Reply]


class Shelf:
    """A server that says what it is told to. Assets are served as they are put there."""

    def __init__(self) -> None:
        self.manifest: Answer = lambda _: Reply(204, (("expo-protocol-version", "1"),), b"")
        self.assets: dict[str, Answer] = {}
        self.online = True

    async def fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        if not self.online:
            raise Unreachable(url)
        return self.manifest(headers) if url == URL else self.assets[url](headers)

    def put(self, data: bytes) -> str:
        url = f"https://updates.example/{sha256(data)}"
        self.assets[url] = lambda _: Reply(200, (), data)
        return url

    def offer(self, created: int, bundle: bytes = b"bundle", **changes: Any) -> str:
        """Offer an update; return its id."""
        id_ = str(uuid.uuid4())
        launch = {"key": sha256(bundle)[:20], "contentType": "application/javascript",
                  "url": self.put(bundle), "hash": sha256(bundle)}  # fmt: skip
        picture = {"key": "picture", "contentType": "image/png", "fileExtension": ".png",
                   "url": self.put(b"png"), "hash": sha256(b"png")}  # fmt: skip
        body = {"id": id_, "createdAt": dates.write(created), "runtimeVersion": "1",
                "launchAsset": launch, "assets": [picture], "metadata": {}, "extra": {}}  # fmt: skip
        headers: dict[str, str] = changes.pop("headers", {})
        self.answer("manifest", body | changes, **headers)
        return id_

    def answer(self, name: str, body: Mapping[str, Any], **headers: str) -> None:
        text = (
            f'--b\r\ncontent-disposition: inline; name="{name}"\r\n\r\n'
            f"{json.dumps(body)}\r\n--b--\r\n"
        )
        known = {"expo-protocol-version": "1", "content-type": "multipart/mixed; boundary=b"}
        pairs = known | {key.replace("_", "-"): value for key, value in headers.items()}
        self.manifest = lambda _: Reply(200, tuple(pairs.items()), text.encode())

    def roll_back(self, commit: int) -> None:
        parameters = {"commitTime": dates.write(commit)}
        self.answer("directive", {"type": "rollBackToEmbedded", "parameters": parameters})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def device(shelf: Shelf, **changes: Any) -> Device:
    known: dict[str, Any] = {
        "platform": "android",
        "url": URL,
        "runtime_version": "1",
        "request_headers": {"expo-channel-name": "main"},
        "embedded_id": EMBEDDED,
        "embedded_commit": NOON - DAY,
    }
    return Device(Build(**known | changes), lambda: NOON, fetch=shelf.fetch)


async def test_a_fresh_phone_starts_with_what_is_embedded(shelf: Shelf) -> None:
    phone = device(shelf)
    assert phone.start().id == EMBEDDED
    assert (await phone.check()).reason == "nothing offered"


@pytest.mark.parametrize("platform", ["ios", "android"])
async def test_an_update_runs_from_the_next_start(shelf: Shelf, platform: str) -> None:
    phone = device(shelf, platform=platform)
    phone.start()
    new = shelf.offer(NOON)
    assert (await phone.check()).loaded == new
    assert phone.launched is not None
    assert phone.launched.id == EMBEDDED
    assert phone.start().id == new
    asked = phone.exchanges[0].headers
    assert asked["Expo-Current-Update-ID"] == asked["Expo-Embedded-Update-ID"] == EMBEDDED
    assert asked["EAS-Client-ID"].isupper() is (platform == "ios")
    assert asked["expo-channel-name"] == "main"
    assert phone.exchanges[1].headers["Expo-Requested-Update-ID"] == new
    assert phone.storage.files["picture.png"] == b"png"


async def test_an_older_update_is_refused(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON - DAY)
    assert (await phone.check()).reason == "updateRejectedBySelectionPolicy"
    assert phone.storage.files == {}


async def test_a_filter_moves_a_phone_to_an_older_update(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    filters = {"expo_manifest_filters": 'branch="b"'}
    shelf.offer(NOON, metadata={"branch": "a"}, headers={"expo_manifest_filters": 'branch="a"'})
    await phone.check()
    phone.start()
    older = shelf.offer(NOON - 1, metadata={"branch": "b"}, headers=filters)
    assert (await phone.check()).loaded == older
    assert phone.start().id == older
    shelf.manifest = lambda _: Reply(204, (("expo-protocol-version", "1"),), b"")
    await phone.check()
    assert phone.storage.filters == {"branch": "b"}, "an absent header leaves the old filters"


async def test_a_manifest_that_fails_its_own_filters_is_rejected(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON, metadata={"a": "x"}, headers={"expo_manifest_filters": 'a="y"'})
    assert "filters do not match" in (await phone.check()).reason


async def test_server_defined_headers_come_back_but_override_nothing(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON, headers={"expo_server_defined_headers": 'expo-platform="x", group=7'})
    await phone.check()
    await phone.check()
    asked = phone.exchanges[-1].headers
    assert asked["group"] == "7"
    assert asked["Expo-Platform"] == "android"
    assert "expo-platform" not in asked


async def test_another_runtime_version_is_loaded_but_never_run(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    wrong = shelf.offer(NOON, runtimeVersion="2")
    assert (await phone.check()).loaded == wrong
    assert phone.start().id == EMBEDDED


async def test_a_tampered_asset_is_refused_and_the_update_stays_pending(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    id_ = shelf.offer(NOON)
    good = dict(shelf.assets)
    shelf.assets = {url: lambda _: Reply(200, (), b"tampered") for url in good}
    assert "another hash" in (await phone.check()).reason
    assert phone.start().id == EMBEDDED
    shelf.assets = good
    assert (await phone.check()).loaded == id_


async def test_offline_changes_nothing(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.online = False
    assert (await phone.check()).reason.startswith("Unreachable")
    assert phone.start().id == EMBEDDED


async def test_a_crash_before_the_first_screen_falls_back_and_is_told(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    phone.content_appeared()
    bad = shelf.offer(NOON)
    await phone.check()
    phone.start()
    back = await phone.crash("boom")
    assert back is not None
    assert back.id == EMBEDDED
    await phone.check()
    assert phone.exchanges[-1].headers["Expo-Recent-Failed-Update-IDs"] == f'"{bad}"'
    assert phone.start().id == EMBEDDED, "what failed is not launched again"


async def test_a_crash_prefers_a_newer_update_that_is_out(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON)
    await phone.check()
    phone.start()
    fixed = shelf.offer(NOON + 1, b"fixed")
    after = await phone.crash("boom")
    assert after is not None
    assert after.id == fixed


async def test_what_once_ran_well_is_not_left_for_an_older_one(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    id_ = shelf.offer(NOON)
    await phone.check()
    phone.start()
    phone.content_appeared()
    assert await phone.crash("später" + "x" * 2000) is None
    assert phone.start().id == id_
    await phone.check()
    said = phone.exchanges[-1].headers["Expo-Fatal-Error"]
    assert said.startswith("später")
    assert len(said) == 1024
    await phone.check()
    assert "Expo-Fatal-Error" not in phone.exchanges[-1].headers, "it is said once"


async def test_a_rollback_lasts_until_something_later_is_published(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON)
    await phone.check()
    phone.start()
    shelf.roll_back(NOON + 5)
    assert (await phone.check()).rolled_back
    assert phone.start().id == EMBEDDED
    assert (await phone.check()).reason == "rollbackRejectedBySelectionPolicy"
    shelf.offer(NOON + 5, b"not later")
    assert (await phone.check()).reason == "updateRejectedBySelectionPolicy"
    later = shelf.offer(NOON + 6, b"later")
    assert (await phone.check()).loaded == later
    assert phone.start().id == later


async def test_a_build_without_an_embedded_update_ignores_a_rollback(shelf: Shelf) -> None:
    phone = device(shelf, embedded_id=None)
    with pytest.raises(LookupError):
        phone.start()
    shelf.roll_back(NOON)
    assert (await phone.check()).reason == "rollBackToEmbedded"


def patched(base: bytes, target: bytes, base_id: str, **headers: str) -> Answer:
    """Patch whoever asks for a patch, and only him."""
    known = {"im": "bsdiff", "expo-base-update-id": base_id.upper()} | headers
    patch = bsdiff4.diff(base, target)
    return lambda asked: (
        Reply(226, tuple(known.items()), patch) if "A-IM" in asked else Reply(200, (), target)
    )


async def test_a_bundle_comes_as_a_patch_on_the_embedded_one(shelf: Shelf) -> None:
    phone = device(shelf, embedded_bundle=b"old" * 100)
    phone.start()
    new = shelf.offer(NOON, b"new" * 100)
    shelf.assets[shelf.put(b"new" * 100)] = patched(b"old" * 100, b"new" * 100, EMBEDDED)
    assert (await phone.check()).loaded == new
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (1, 0)


BAD_PATCHES = {
    "another base id": patched(b"base", b"new", str(uuid.uuid4())),
    "another base": patched(b"new", b"new", EMBEDDED),
    "nothing like a patch": lambda asked: (
        Reply(226, (("expo-base-update-id", EMBEDDED),), b"junk")
        if "A-IM" in asked
        else Reply(200, (), b"new")
    ),
}


@pytest.mark.parametrize("case", BAD_PATCHES)
async def test_a_bad_patch_costs_one_more_request(shelf: Shelf, case: str) -> None:
    phone = device(shelf, embedded_bundle=b"base")
    phone.start()
    new = shelf.offer(NOON, b"new")
    shelf.assets[shelf.put(b"new")] = BAD_PATCHES[case]
    assert (await phone.check()).loaded == new
    assert (phone.downloads.patched, phone.downloads.fallbacks) == (0, 1)


async def test_a_server_that_always_patches_breaks_the_update(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON, b"new")
    url = shelf.put(b"new")
    shelf.assets[url] = lambda _: Reply(226, (("im", "bsdiff"),), b"junk")
    assert "nobody asked" in (await phone.check()).reason


async def test_extensions_give_headers_for_assets(shelf: Shelf) -> None:
    phone = device(shelf)
    phone.start()
    id_ = shelf.offer(NOON)
    one = shelf.manifest({}).body.removesuffix(b"--b--\r\n")
    extension = json.dumps({"assetRequestHeaders": {"picture": {"Authorization": "x"}}})
    part = f'--b\r\ncontent-disposition: inline; name="extensions"\r\n\r\n{extension}\r\n--b--\r\n'
    headers = shelf.manifest({}).headers
    shelf.manifest = lambda _: Reply(200, headers, one + part.encode())
    assert (await phone.check()).loaded == id_
    told = [ex.headers.get("Authorization") for ex in phone.exchanges]
    assert told == [None, None, "x"]


BAD_ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "an id that is no UUID": ({"id": "1"}, "not a UUID"),
    "a key that leaves the folder": (
        {"launchAsset": {"key": "../x", "url": "u", "contentType": "c"}},
        "not a valid filename",
    ),
    "no launch asset": ({"launchAsset": None}, "lacks 'key'"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
async def test_a_manifest_is_rejected_for(shelf: Shelf, case: str) -> None:
    changes, reason = BAD_ANSWERS[case]
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON, **changes)
    assert reason in (await phone.check()).reason


async def test_a_time_with_microseconds_means_another_time_on_android(shelf: Shelf) -> None:
    phone = device(shelf)
    shelf.offer(NOON, createdAt="2026-11-23T12:00:00.123456Z")
    read = (await phone.ask()).manifest
    assert read is not None
    assert read.created == dates.android("2026-11-23T12:02:03.456Z")
    shelf.offer(NOON, createdAt="2026-11-23T12:00:00+00:00")
    read = (await phone.ask()).manifest
    assert read is not None
    assert read.created == NOON, "what Android cannot read is now"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({}, "Legacy manifests"), ({"expo-protocol-version": "2"}, "unknown protocol version")],
)
async def test_an_answer_without_a_known_protocol_version_is_rejected(
    shelf: Shelf, headers: dict[str, str], reason: str
) -> None:
    phone = device(shelf)
    phone.start()
    shelf.offer(NOON)
    body = shelf.manifest({}).body
    known = {"content-type": "multipart/mixed; boundary=b"} | headers
    shelf.manifest = lambda _: Reply(200, tuple(known.items()), body)
    assert reason in (await phone.check()).reason
