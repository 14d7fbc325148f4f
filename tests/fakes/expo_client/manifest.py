"""Manifests and directives, read as strictly as the stricter of the two clients reads each field."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.fakes.expo_client import dates

Platform = Literal["ios", "android"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Unusable(ValueError):
    """A client cannot use what it was given; on iOS some of these end the app."""


@dataclass(frozen=True)
class Asset:
    """A file of an update. ``hash`` is SHA-256 in unpadded base64url; None is not checked."""

    key: str
    url: str
    content_type: str
    extension: str = ""
    hash: str | None = None

    @property
    def file_name(self) -> str:
        """Its name on the device. Raises `Unusable` when it would leave the folder."""
        name = self.key + self.extension
        if name in {"", ".", ".."} or set(name) & {"/", "\\", "\0"}:
            raise Unusable(f"{name!r} is not a valid filename")
        return name


@dataclass(frozen=True)
class Manifest:
    """A manifest. ``created`` is in milliseconds since 1970, as the platform understood it."""

    id: str
    created: int
    runtime_version: str
    launch: Asset
    assets: tuple[Asset, ...]
    metadata: Mapping[str, Any]
    extra: Mapping[str, Any]

    @property
    def all_assets(self) -> tuple[Asset, ...]:
        """All assets, each key once, the launch asset first."""
        return tuple({asset.key: asset for asset in (*self.assets[::-1], self.launch)}.values())[
            ::-1
        ]

    @property
    def project(self) -> tuple[Any, Any]:
        """What a certificate for one project is compared with."""
        return self.extra.get("eas", {}).get("projectId"), self.extra.get("scopeKey")


@dataclass(frozen=True)
class Directive:
    """What the server asks for. ``commit`` is in milliseconds since 1970, for a rollback."""

    type: Literal["noUpdateAvailable", "rollBackToEmbedded"]
    commit: int | None = None
    project: tuple[Any, Any] = (None, None)


def read_manifest(body: bytes, platform: Platform, *, now: int) -> Manifest:
    """Read a manifest. Raises `Unusable`. ``now`` is what Android takes for an unreadable time."""
    known = _object(body)
    try:
        return Manifest(
            id=_uuid(known["id"]),
            created=_created(known["createdAt"], platform, now),
            runtime_version=_text(known["runtimeVersion"]),
            launch=_asset(known["launchAsset"], needs_extension=False),
            assets=_assets(known.get("assets") or [], platform),
            metadata=_mapping(known.get("metadata")),
            extra=_mapping(known.get("extra")),
        )
    except KeyError as error:
        raise Unusable(f"the manifest lacks {error}") from error


def read_directive(body: bytes, platform: Platform) -> Directive:
    """Read a directive. Raises `Unusable`."""
    known = _object(body)
    info = _mapping(_mapping(known.get("extra")).get("signingInfo"))
    project = (info.get("projectId"), info.get("scopeKey"))
    match known.get("type"):
        case "noUpdateAvailable":
            return Directive("noUpdateAvailable", project=project)
        case "rollBackToEmbedded":
            commit = _text(_mapping(known.get("parameters")).get("commitTime"))
            return Directive("rollBackToEmbedded", _time(commit, platform), project)
    raise Unusable(f"Unsupported directive type: {known.get('type')!r}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        known = json.loads(body)
    except ValueError as error:
        raise Unusable("the body is not JSON") from error
    if not isinstance(known, dict):
        raise Unusable("the body is not a JSON object")
    return known


def _uuid(value: Any) -> str:
    if not _UUID.fullmatch(_text(value)):
        raise Unusable(f"the id {value!r} is not a UUID")
    return str(uuid.UUID(value))


def _created(value: Any, platform: Platform, now: int) -> int:
    try:
        return _time(_text(value), platform)
    except Unusable:
        if platform == "android":
            return now
        raise


def _time(text: str, platform: Platform) -> int:
    try:
        return dates.android(text) if platform == "android" else dates.ios(text)
    except ValueError as error:
        raise Unusable(str(error)) from error


def _assets(values: Any, platform: Platform) -> tuple[Asset, ...]:
    """Android leaves an asset without an extension out; iOS raises for it."""
    usable = [value for value in values if platform == "ios" or "fileExtension" in value]
    return tuple(_asset(value, needs_extension=True) for value in usable)


def _asset(value: Any, *, needs_extension: bool) -> Asset:
    known = _mapping(value)
    if needs_extension and "fileExtension" not in known:
        raise Unusable("an asset lacks fileExtension")
    asset = Asset(
        key=_text(known["key"]),
        url=_text(known["url"]),
        content_type=str(known.get("contentType", "")),
        extension=str(known.get("fileExtension", "")),
        hash=known.get("hash"),
    )
    assert asset.file_name
    return asset


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unusable(f"{value!r} is not a string")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"{value!r} is not an object")
    return value
