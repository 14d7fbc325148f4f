"""The headers of a client's requests. Pure.

The order in which they override each other: what the server once defined, the client's own, those
of the build. Only the last can change the client's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.expo_client import structured
from tests.fakes.expo_client.build import Build, Storage
from tests.fakes.expo_client.selection import Row

ACCEPT = "multipart/mixed,application/expo+json,application/json"
ENCODINGS = {"android": "zstd, br, gzip", "ios": "gzip, deflate, br"}
FATAL_LENGTH = {"android": 1024, "ios": 1025}


def for_manifest(build: Build, storage: Storage, launched: Row | None) -> dict[str, str]:
    """Return the headers of a request for a manifest."""
    own = _always(build, storage) | {"Accept": ACCEPT, "Expo-JSON-Error": "true"}
    if storage.fatal_error is not None:
        # Android writes UTF-8 where it is let; a header that cannot be sent says it with marks.
        text = storage.fatal_error[: FATAL_LENGTH[build.platform]]
        own["Expo-Fatal-Error"] = text.encode("latin-1", "replace").decode("latin-1")
    known = {name: str(value) for name, value in storage.server_headers.items()}
    if storage.extra_params:
        known["Expo-Extra-Params"] = structured.string_dictionary(storage.extra_params)
    known |= _ids(build, launched)
    if failed := storage.failed_ids():
        known["Expo-Recent-Failed-Update-IDs"] = structured.string_list(failed)
    merged = _merged(known, own, build.request_headers)
    if build.trust:
        merged["expo-expect-signature"] = build.trust.expect_header()
    return merged


def for_asset(
    build: Build,
    storage: Storage,
    launched: Row | None,
    *,
    requested: str,
    extra: Mapping[str, str],
    patch: bool,
) -> dict[str, str]:
    """Return the headers of a request for an asset of the update ``requested``."""
    own = _always(build, storage) | {"Accept": "*/*"}
    if patch:
        own["A-IM"] = "bsdiff"
    known = {**extra, **_ids(build, launched), "Expo-Requested-Update-ID": requested}
    return _merged(known, own, build.request_headers)


def _always(build: Build, storage: Storage) -> dict[str, str]:
    own = {
        "Accept-Encoding": ENCODINGS[build.platform],
        "Expo-Platform": build.platform,
        "Expo-Protocol-Version": "1",
        "Expo-API-Version": "1",
        "Expo-Updates-Environment": "BARE",
        "Expo-Runtime-Version": build.runtime_version,
    }
    return own | ({"EAS-Client-ID": storage.client_id} if storage.client_id else {})


def _ids(build: Build, launched: Row | None) -> dict[str, str]:
    ids = {}
    if launched:
        ids["Expo-Current-Update-ID"] = launched.id.lower()
    if build.embedded_id:
        ids["Expo-Embedded-Update-ID"] = build.embedded_id.lower()
    return ids


def _merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """Let later ones win, whatever the case of their names."""
    merged: dict[str, tuple[str, str]] = {}
    for layer in layers:
        merged |= {name.lower(): (name, value) for name, value in layer.items()}
    return dict(merged.values())
