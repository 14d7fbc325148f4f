"""Reads the export of one platform out of its tar artifact, and checks every hash.

Shape (`expo export`, Metro): ``metadata.json`` names the bundle and the assets of each platform;
an asset's file is named after its MD5. ``expoConfig.json`` is the public configuration.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from shipway.kit import errors
from shipway.updates.manifests import BUNDLE, Asset

MOST_FILES = 20_000
MOST_BYTES = 1024**3
CHUNK = 1024 * 1024

METADATA = "metadata.json"
CONFIG = "expoConfig.json"


@dataclass(frozen=True, kw_only=True)
class Export:
    """One platform's export, its files in a folder by their SHA-256."""

    platform: str
    launch: Asset
    assets: tuple[Asset, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_assets(self) -> tuple[Asset, ...]:
        return (self.launch, *self.assets)

    @property
    def size(self) -> int:
        """Bytes that a fresh device downloads, before compression."""
        return sum({asset.sha256: asset.size for asset in self.all_assets}.values())


@dataclass(frozen=True, kw_only=True)
class _File:
    sha256: str
    md5: str
    size: int


def read(archive: pathlib.Path, platform: str, folder: pathlib.Path) -> Export:
    """Unpack an export into a folder, each file under its SHA-256.

    Raises `errors.Refused` with every reason why it cannot be an update.
    """
    files = _unpack(archive, folder)
    listed = _json(files, folder, METADATA)
    if listed.get("version") != 0 or listed.get("bundler") != "metro":
        raise errors.Refused(f"The export for {platform} was not made by `expo export` with Metro")
    about = listed.get("fileMetadata", {}).get(platform)
    if not isinstance(about, dict) or not isinstance(about.get("bundle"), str):
        raise errors.Refused(f"The export holds no bundle for {platform}")
    reasons: list[str] = []
    launch = _launch(files, about["bundle"], reasons)
    assets = [_asset(files, one, reasons) for one in about.get("assets", [])]
    if reasons or launch is None:
        raise errors.Refused(*reasons, fix="Export it again.")
    return Export(
        platform=platform,
        launch=launch,
        # Several sources may share one file.
        assets=tuple({asset.key: asset for asset in assets if asset}.values()),
        config=_json(files, folder, CONFIG) if CONFIG in files else {},
    )


def _launch(files: Mapping[str, _File], path: str, reasons: list[str]) -> Asset | None:
    found = files.get(path)
    if found is None or not found.size:
        reasons.append(f"The export lacks its bundle {path[:200]}")
        return None
    return Asset(key=found.md5, sha256=found.sha256, ending=BUNDLE, size=found.size)


def _asset(files: Mapping[str, _File], one: Any, reasons: list[str]) -> Asset | None:
    path, ending = (one.get("path"), one.get("ext")) if isinstance(one, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(ending, str) or not _is_ending(ending):
        reasons.append(f"The export lists an asset that is none: {str(one)[:200]}")
        return None
    found = files.get(path.replace("\\", "/"))
    if found is None:
        reasons.append(f"The export lacks its asset {path[:200]}")
        return None
    if pathlib.PurePosixPath(path).name.partition(".")[0] != found.md5:
        reasons.append(f"The asset {path[:200]} has other bytes than its name says")
        return None
    return Asset(key=found.md5, sha256=found.sha256, ending=ending.lower(), size=found.size)


def _is_ending(ending: str) -> bool:
    """It becomes part of a file's name on the device, and of a URL."""
    return ending.isascii() and ending.isalnum() and len(ending) <= 16


def _json(files: Mapping[str, _File], folder: pathlib.Path, name: str) -> dict[str, Any]:
    if name not in files:
        raise errors.Refused(f"The export holds no {name}: it is none of `expo export`")
    try:
        found = json.loads((folder / files[name].sha256).read_bytes())
    except ValueError as error:
        raise errors.Refused(f"{name} of the export is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise errors.Refused(f"{name} of the export is not an object")
    return found


def _unpack(archive: pathlib.Path, folder: pathlib.Path) -> dict[str, _File]:
    found: dict[str, _File] = {}
    left = MOST_BYTES
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if not member.isreg():
                    continue  # Nothing is opened by a name of the archive.
                if len(found) == MOST_FILES:
                    raise errors.Refused(f"The export holds more than {MOST_FILES} files")
                source = tar.extractfile(member)
                assert source
                file = _copy(source, folder, left)
                left -= file.size
                found[member.name.removeprefix("./")] = file
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise errors.Refused(f"The export cannot be unpacked: {error}") from error
    return found


def _copy(source: IO[bytes], folder: pathlib.Path, most: int) -> _File:
    sha256, size = hashlib.sha256(), 0
    md5 = hashlib.md5(usedforsecurity=False)
    draft = folder / ".draft"
    with draft.open("wb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise errors.Refused(f"The export is larger than {MOST_BYTES} bytes")
            sha256.update(chunk)
            md5.update(chunk)
            file.write(chunk)
    draft.replace(folder / sha256.hexdigest())
    return _File(sha256=sha256.hexdigest(), md5=md5.hexdigest(), size=size)
