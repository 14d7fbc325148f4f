"""Native builds are registered with what is in them; a build that cannot be one is refused."""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import plistlib
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from tests.fakes.api import Api
from tests.unit.cli.conftest import Terminal

from shipway.cli import native_build
from shipway.client import updates_wire, wire
from shipway.kit import errors

ID = "3ba5a7a7-5b5e-4d0e-9d3b-0a0c3e1f2a4b"
MANIFEST = json.dumps({"id": ID.upper(), "commitTime": 1_790_000_000_000, "assets": []}).encode()
BUNDLE = b"\xc6\x1f\xbc\x03 hermes bytecode"
PLIST = plistlib.dumps({"EXUpdatesRuntimeVersion": "1.4.0"}, fmt=plistlib.FMT_BINARY)
IOS = "Payload/Aios.app"

BUILDS: Mapping[str, dict[str, bytes]] = {
    "a.apk": {
        "assets/app.manifest": MANIFEST,
        "assets/index.android.bundle": BUNDLE,
        "assets/fingerprint": b"ab796f41\n",
        "lib/arm64-v8a/libhermes.so": b"so",
    },
    "a.aab": {
        "base/assets/app.manifest": MANIFEST,
        "base/assets/index.android.bundle": BUNDLE,
        "base/assets/fingerprint": b"ab796f41",
    },
    "a.ipa": {
        f"{IOS}/EXUpdates.bundle/app.manifest": MANIFEST,
        f"{IOS}/main.jsbundle": BUNDLE,
        f"{IOS}/Expo.plist": PLIST,
        # A widget within the app has none of its own that counts.
        f"{IOS}/PlugIns/Widget.appex/main.jsbundle": b"of a widget",
    },
}


def packed(path: pathlib.Path, files: Mapping[str, bytes]) -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("name", "platform", "runtime"),
    [("a.apk", "android", "ab796f41"), ("a.aab", "android", "ab796f41"), ("a.ipa", "ios", "1.4.0")],
)
def test_a_build_says_what_is_embedded(
    tmp_path: pathlib.Path, name: str, platform: str, runtime: str
) -> None:
    found = native_build.read(packed(tmp_path / name, BUILDS[name]), platform)
    assert (found.id, found.committed) == (ID, 1_790_000_000_000)
    assert (found.bundle, found.runtime) == (BUNDLE, runtime)


@pytest.mark.parametrize("place", ["", "Frameworks/EXUpdates.framework/"])
def test_an_ios_build_by_fingerprint_has_it_in_a_file(tmp_path: pathlib.Path, place: str) -> None:
    told = {
        f"{IOS}/{place}EXUpdates.bundle/app.manifest": MANIFEST,
        f"{IOS}/Expo.plist": plistlib.dumps({"EXUpdatesRuntimeVersion": "file:fingerprint"}),
        f"{IOS}/{place}EXUpdates.bundle/fingerprint": b"316a2317",
    }
    assert native_build.read(packed(tmp_path / "a.ipa", told), "ios").runtime == "316a2317"


def without(part: str, **changes: bytes) -> dict[str, bytes]:
    files = {name: data for name, data in BUILDS["a.apk"].items() if part not in name}
    return {**files, **{f"assets/{name}": data for name, data in changes.items()}}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (without("app.manifest"), "without expo-updates"),
        (without("app.manifest") | {"assets/app.manifest": b"{"}, "is no app.manifest"),
        (without("app.manifest") | {"assets/app.manifest": b"[]"}, "is no app.manifest"),
        (
            without("app.manifest") | {"assets/app.manifest": b'{"id": "x", "commitTime": 1}'},
            "is no app.manifest",
        ),
        (
            without("app.manifest")
            | {"assets/app.manifest": json.dumps({"id": ID, "commitTime": -1}).encode()},
            "a commitTime that is none",
        ),
        (without("bundle") | {"assets/index.android.bundle": b"0" * 5000}, "more than 4000"),
    ],
    ids=["no manifest", "no JSON", "a list", "no id", "no time", "a bundle that unpacks too far"],
)
def test_a_build_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], reason: str
) -> None:
    monkeypatch.setattr(native_build, "LARGEST_BUNDLE", 4000)
    with pytest.raises(errors.Invalid, match=reason):
        native_build.read(packed(tmp_path / "a.apk", files), "android")


def test_what_is_no_build_is_refused(tmp_path: pathlib.Path) -> None:
    apk = packed(tmp_path / "a.apk", BUILDS["a.apk"])
    with pytest.raises(errors.Invalid, match="for android, not for ios"):
        native_build.read(apk, "ios")
    with pytest.raises(errors.Invalid, match="none of"):
        native_build.read(packed(tmp_path / "a.zip", {}), "ios")
    whole = apk.read_bytes()
    for damaged in (b"", b"PK\3\4", whole[: len(whole) // 2], whole.replace(b"index", b"other", 1)):
        apk.write_bytes(damaged)
        with pytest.raises(errors.Invalid, match="cannot be unpacked"):
            native_build.read(apk, "android")
    two = {**BUILDS["a.ipa"], "Payload/Other.app/main.jsbundle": BUNDLE}
    with pytest.raises(errors.Invalid, match="2 files like"):
        native_build.read(packed(tmp_path / "two.ipa", two), "ios")


REGISTERED = updates_wire.StoreBuild(
    id="nat_1", platform="android", version="1.4.0", runtime="ab796f41", fingerprint="ab796f41",
    embedded=ID, committed=1_790_000_000_000, by="ada",
    created=datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC),
)  # fmt: skip


def registered(terminal: Terminal, api: Api, *argv: str) -> dict[str, Any]:
    """Register a build and return what the API was told."""
    digest = hashlib.sha256(BUNDLE).hexdigest()
    api.on(f"PUT /v1/apps/aios/embedded-bundles/{digest}", wire.Said(sentence="It is here."))
    api.on("POST /v1/apps/aios/store-builds", REGISTERED)
    found = terminal.type("client", "register-build", "android", "1.4.0", *argv)
    assert found.exit_code == 0, found.err
    return dict(api.asked[-1][1])


def test_a_build_is_registered_with_its_bundle(terminal: Terminal, api: Api) -> None:
    apk = packed(terminal.folder / "a.apk", BUILDS["a.apk"])
    told = registered(terminal, api, "--build", str(apk))
    assert told["embedded"] == ID
    assert (told["runtime"], told["committed"]) == ("ab796f41", 1_790_000_000_000)
    assert told["bundle"] == hashlib.sha256(BUNDLE).hexdigest()
    assert api.asked[0][1] == {"bytes": len(BUNDLE)}


def test_the_parts_may_be_given_one_by_one(terminal: Terminal, api: Api) -> None:
    bundle, manifest = terminal.folder / "b.bundle", terminal.folder / "app.manifest"
    bundle.write_bytes(BUNDLE)
    manifest.write_bytes(MANIFEST)
    parts = ("--runtime", "1", "--manifest", str(manifest), "--bundle", str(bundle))
    told = registered(terminal, api, *parts)
    assert (told["embedded"], told["runtime"], told["bundle"][:1]) == (ID, "1", told["bundle"][:1])
    told = registered(terminal, api, "--runtime", "1")
    assert (told["embedded"], told["bundle"]) == ("", "")


def test_a_build_without_a_runtime_version_or_id_is_not_registered(terminal: Terminal) -> None:
    bundle = terminal.folder / "b.bundle"
    bundle.write_bytes(BUNDLE)
    for argv in ([], ["--runtime", "1", "--bundle", str(bundle)]):
        found = terminal.type("client", "register-build", "android", "1.4.0", *argv)
        assert found.exit_code != 0
        assert "is not known" in found.err
