"""What a native build has in it of updates: an .ipa, .apk or .aab, or the files themselves.

All three are ZIP files. Where `expo-updates` and React Native put things is in `PLACES`.
"""

from __future__ import annotations

import json
import pathlib
import plistlib
import re
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shipway.kit import errors

Platform = Literal["ios", "android"]

LARGEST_BUNDLE = 48 * 1024 * 1024
LARGEST_TEXT = 4 * 1024 * 1024
"""Bytes after unpacking: a build says how large its files are, and need not say the truth."""

FROM_FILE = "file:fingerprint"
"""The runtime version of a build that has it in a file of its own."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the parts are in one kind of build, as regular expressions of names."""

    platform: Platform
    manifest: str
    bundle: str
    fingerprint: str
    plist: str = ""


_APP = r"Payload/[^/]+\.app/"
_UPDATES = rf"{_APP}(?:Frameworks/[^/]+\.framework/)?EXUpdates\.bundle/"

PLACES: Mapping[str, Place] = {
    ".apk": Place(
        platform="android",
        manifest=r"assets/app\.manifest",
        bundle=r"assets/index\.android\.bundle",
        fingerprint=r"assets/fingerprint",
    ),
    ".aab": Place(
        platform="android",
        manifest=r"base/assets/app\.manifest",
        bundle=r"base/assets/index\.android\.bundle",
        fingerprint=r"base/assets/fingerprint",
    ),
    ".ipa": Place(
        platform="ios",
        manifest=rf"{_UPDATES}app\.manifest",
        bundle=rf"{_APP}main\.jsbundle",
        fingerprint=rf"{_UPDATES}fingerprint",
        plist=rf"{_APP}Expo\.plist",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The update that a build comes with; what is not known is empty. ``committed`` is in
    milliseconds since 1970."""

    id: str = ""
    committed: int = 0
    bundle: bytes = b""
    runtime: str = ""


def read(path: pathlib.Path, platform: str) -> Embedded:
    """Read a build. Raises `errors.Invalid` when it is of another platform, or none."""
    place = PLACES.get(path.suffix.lower())
    if place is None:
        raise errors.Invalid(f"{path} is none of {', '.join(PLACES)}.")
    if place.platform != platform:
        raise errors.Invalid(f"{path} is a build for {place.platform}, not for {platform}.")
    try:
        with zipfile.ZipFile(path) as archive:
            return _embedded(archive, place, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise errors.Invalid(f"{path} cannot be unpacked: {error}") from error


def manifest(text: bytes, where: str) -> tuple[str, int]:
    """Return the id and the time in an app.manifest. Raises `errors.Invalid`."""
    try:
        found = json.loads(text)
        name, committed = str(uuid.UUID(found["id"])), int(found["commitTime"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.Invalid(f"{where} is no app.manifest: {error}") from error
    if not 0 <= committed < 2**53:
        raise errors.Invalid(f"{where} has a commitTime that is none: {committed}.")
    return name, committed


def _embedded(archive: zipfile.ZipFile, place: Place, path: pathlib.Path) -> Embedded:
    text = _part(archive, place.manifest, LARGEST_TEXT)
    if text is None:
        raise errors.Invalid(
            f"{path} has no app.manifest: it was built without expo-updates, or with"
            " `updates.enabled` off."
        )
    name, committed = manifest(text, f"app.manifest of {path}")
    return Embedded(
        id=name,
        committed=committed,
        bundle=_part(archive, place.bundle, LARGEST_BUNDLE) or b"",
        runtime=_runtime(archive, place),
    )


def _runtime(archive: zipfile.ZipFile, place: Place) -> str:
    """Return the runtime version, where a build says it in words."""
    said = FROM_FILE
    if place.plist and (data := _part(archive, place.plist, LARGEST_TEXT)):
        said = str(_plist(data).get("EXUpdatesRuntimeVersion") or FROM_FILE)
    if said != FROM_FILE:
        return said
    fingerprint = _part(archive, place.fingerprint, LARGEST_TEXT) or b""
    return fingerprint.decode(errors="replace").strip()


def _plist(data: bytes) -> dict[str, Any]:
    try:
        found = plistlib.loads(data)
    except (ValueError, plistlib.InvalidFileException, OverflowError) as error:
        raise errors.Invalid(f"Its Expo.plist cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _part(archive: zipfile.ZipFile, name: str, most: int) -> bytes | None:
    """Return a file of the archive, or None. Raises `errors.Invalid` when it is too large."""
    pattern = re.compile(name)
    found = [one for one in archive.infolist() if pattern.fullmatch(one.filename)]
    if not found:
        return None
    if len(found) > 1:
        raise errors.Invalid(f"The build has {len(found)} files like {found[0].filename}.")
    with archive.open(found[0]) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise errors.Invalid(f"{found[0].filename} has more than {most} bytes.")
    return data
