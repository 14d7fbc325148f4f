"""What may go over the air: decided by the native side of the builds in users' hands. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_NAMED = 8
"""So many changes are named; the others are counted."""

FINGERPRINT = re.compile(r"[0-9a-f]{32,128}")
"""A digest, SHA-1 unless `fingerprint.config.js` says otherwise."""

BUILD_IT = "A native build is needed: this cannot go over the air."

Source = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoreBuild:
    """A native build in users' hands. ``embedded`` is the id of the update in it and
    ``committed`` its time in milliseconds since 1970; ``launch`` the SHA-256 of its bundle."""

    id: str
    app: str
    platform: str
    version: str
    runtime: str
    fingerprint: str
    embedded: str
    committed: int
    launch: str
    by: str
    created: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Native:
    """The native side of a client: its runtime version and what the fingerprint was made of."""

    platform: str
    runtime: str
    fingerprint: str
    sources: Sequence[Source] = ()


def fingerprint_in(runtime: str) -> str:
    """Return the fingerprint that a runtime version is, by the fingerprint policy, or "": of a
    version such as 1.4.0 nobody knows what is native."""
    return runtime if FINGERPRINT.fullmatch(runtime) else ""


def runtime_of(config: Mapping[str, Any], platform: str, fingerprint: str) -> str:
    """Return the runtime version that the public configuration means for a platform.

    A text stands for itself; a policy is resolved as `expo-updates` resolves it; without any it
    is the fingerprint.
    """
    own = config.get(platform) if isinstance(config.get(platform), Mapping) else {}
    assert isinstance(own, Mapping)
    found = own.get("runtimeVersion", config.get("runtimeVersion"))
    if isinstance(found, str) and found:
        return found
    policy = found.get("policy") if isinstance(found, Mapping) else ""
    version = str(own.get("version") or config.get("version") or "1.0.0")
    if policy == "appVersion":
        return version
    if policy == "nativeVersion":
        number = own.get("buildNumber") if platform == "ios" else own.get("versionCode")
        return f"{version}({number or 1})"
    if policy == "sdkVersion" and config.get("sdkVersion"):
        return f"exposdk:{config['sdkVersion']}"
    return fingerprint


def problems(
    native: Native, builds: Sequence[StoreBuild], known: Mapping[str, Sequence[Source]]
) -> Iterator[str]:
    """Yield why an update must not go over the air. ``known`` maps the fingerprints of builds
    to their sources. Before the first build of a platform is registered there is nothing to say."""
    mine = [build for build in builds if build.platform == native.platform]
    fitting = [build for build in mine if build.runtime == native.runtime]
    if mine and not fitting:
        nearest = mine[0]
        yield (
            f"No {native.platform} build in users' hands runs {native.runtime[:12]}:"
            f" {nearest.version} has {nearest.runtime[:12]}."
            f" {_changed(native, nearest, known)} {BUILD_IT}"
        )
    for build in fitting:
        if build.fingerprint and native.fingerprint and build.fingerprint != native.fingerprint:
            yield (
                f"The native side is not what {native.platform} {build.version} stands for with"
                f" runtime version {native.runtime[:40]}. {_changed(native, build, known)} {BUILD_IT}"
            )
            return


def _changed(native: Native, build: StoreBuild, known: Mapping[str, Sequence[Source]]) -> str:
    before = known.get(build.fingerprint)
    if not before or not native.sources:
        return "What changed is not on record."
    found = list(changes(before, native.sources))
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"Changed: {', '.join(found[:MOST_NAMED])}{more}." if found else "Nothing that is named."


def changes(before: Sequence[Source], after: Sequence[Source]) -> Iterator[str]:
    """Yield what is different between two fingerprints, in words, native dependencies first."""
    old = {_name(source): source.get("hash") for source in before}
    new = {_name(source): source.get("hash") for source in after}
    found = set()
    for name in {*old, *new}:
        if old.get(name) != new.get(name):
            how = "added" if name not in old else "removed" if name not in new else "changed"
            found.add(_in_words(name, how))
    yield from (words for _, words in sorted(found))


def _name(source: Source) -> str:
    return str(source.get("filePath") or source.get("id") or source.get("type"))


def _in_words(name: str, how: str) -> tuple[int, str]:
    parts = name.split("/")
    if "node_modules" in parts[:-1]:
        at = len(parts) - 2 - parts[-2::-1].index("node_modules")
        scoped = parts[at + 1 : at + 3] if parts[at + 1].startswith("@") else parts[at + 1 : at + 2]
        package = "/".join(scoped)
        if package in {"expo", "react-native"}:
            return 0, f"the SDK ({package} {how})"
        return 1, f"native dependency {package} {how}"
    if name.startswith(("expoConfig", "expoAutolinkingConfig", "rncoreAutolinkingConfig")):
        return 3, f"configuration {name.partition(':')[0]} {how}"
    return 2, f"{name} {how}"
