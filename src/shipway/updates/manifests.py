"""The bytes of manifests and directives (Expo Updates 1 as its clients read it). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shipway.kit import errors
from shipway.updates import model

MOST_BYTES = 512 * 1024
"""A manifest is no larger: every check of every device would carry it."""

ASSETS = "/_updates/assets/"
"""The path below which intake serves assets; the name is the SHA-256 with the ending."""

MANIFEST = "/_updates/manifest"
"""The path of `updates.url` in the client's configuration."""

BUNDLE = "bundle"
"""The ending of launch assets in their URLs."""

TYPES = {
    "aac": "audio/aac",
    "bmp": "image/bmp",
    BUNDLE: "application/javascript",
    "css": "text/css",
    "gif": "image/gif",
    "heic": "image/heic",
    "html": "text/html",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "application/javascript",
    "json": "application/json",
    "lottie": "application/zip",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
}
"""By ending. Not the machine's own table: the same update is served alike everywhere."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file of an update. ``key`` is the MD5 of its bytes, as Metro bakes it into the code;
    ``sha256`` is in hexadecimal; ``ending`` is without the dot."""

    key: str
    sha256: str
    ending: str
    size: int

    @property
    def name(self) -> str:
        """Its name below `ASSETS`."""
        return f"{self.sha256}.{self.ending}"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What an update consists of, apart from its id and time."""

    platform: str
    runtime: str
    launch: Asset
    assets: Sequence[Asset]
    metadata: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def manifest(contents: Contents, *, id: str, created: int, base_url: str) -> str:  # noqa: A002 -- the update's own
    """Return the text of a manifest. Raises `errors.Refused` when it is too large."""
    launch = _described(contents.launch, base_url)
    del launch["fileExtension"]  # Clients do not expect it here.
    text = _json(
        {
            "id": id,
            "createdAt": model.timestamp(created),
            "runtimeVersion": contents.runtime,
            "launchAsset": launch,
            "assets": [_described(asset, base_url) for asset in contents.assets],
            "metadata": dict(contents.metadata),
            "extra": dict(contents.extra),
        }
    )
    if len(text.encode()) > MOST_BYTES:
        raise errors.Refused(
            f"The manifest for {contents.platform} would have {len(text.encode())} bytes,"
            f" and the most is {MOST_BYTES}",
            fix="Take files out of the bundle, or values out of `extra` in app.json.",
        )
    return text


def back_to_embedded(created: int) -> str:
    """Return the directive back to what the store build came with. Its time never changes:
    devices would apply it again at each poll."""
    parameters = {"commitTime": model.timestamp(created)}
    return _json({"type": "rollBackToEmbedded", "parameters": parameters})


def no_update() -> str:
    """Return the directive that says that there is nothing new."""
    return _json({"type": "noUpdateAvailable"})


def extensions(asset_headers: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return the part that tells which headers go with the request for each asset."""
    told = {key: dict(asset_headers) for key in keys} if asset_headers else {}
    return _json({"assetRequestHeaders": told})


def content_type(ending: str) -> str:
    return TYPES.get(ending.lower(), "application/octet-stream")


def base64url(sha256: str) -> str:
    """Return a digest as manifests have it."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()


def _described(asset: Asset, base_url: str) -> dict[str, str]:
    return {
        "hash": base64url(asset.sha256),
        "key": asset.key,
        "contentType": content_type(asset.ending),
        "fileExtension": f".{asset.ending}",
        "url": f"{base_url}{ASSETS}{asset.name}",
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
