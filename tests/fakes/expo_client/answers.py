"""How a client takes the answer to its manifest request apart."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.expo_client import manifest, multipart, selection, signing, structured
from tests.fakes.expo_client.manifest import Directive, Manifest, Platform
from tests.fakes.expo_client.multipart import Part
from tests.fakes.expo_client.wire import Reply


class Rejected(Exception):
    """The client throws the answer away and keeps what it has."""


@dataclass(frozen=True)
class Answer:
    """What a client understood. ``raw`` has the exact bytes of each part by its name.

    ``filters`` and ``server_headers`` are None when the header was absent or no dictionary: then
    the client keeps those it has.
    """

    manifest: Manifest | None = None
    directive: Directive | None = None
    extensions: Mapping[str, Any] | None = None
    filters: Mapping[str, Any] | None = None
    server_headers: Mapping[str, Any] | None = None
    raw: Mapping[str, Part] | None = None

    def asset_headers(self, key: str) -> Mapping[str, str]:
        """Return the headers that the client must add to its request for an asset."""
        requests = (self.extensions or {}).get("assetRequestHeaders", {})
        found: Mapping[str, str] = requests.get(key, {})
        return found


@dataclass(frozen=True)
class Reader:
    """Reads as one platform does; ``now`` is the clock of the device."""

    platform: Platform
    now: datetime.datetime
    trust: signing.Trust | None = None

    def read(self, reply: Reply) -> Answer:
        """Take an answer apart. Raises `Rejected` with the reason that the client has."""
        try:
            return self._read(reply)
        except (multipart.Unreadable, manifest.Unusable, signing.Untrusted) as error:
            raise Rejected(str(error)) from error

    def _read(self, reply: Reply) -> Answer:
        if not 200 <= reply.status <= 299:
            raise Rejected(f"the answer has status {reply.status}")
        version = _version(reply.header("expo-protocol-version"))
        parts = self._parts(reply, version)
        chain = parts["certificate_chain"].body.decode() if "certificate_chain" in parts else ""
        filters = _dictionary(reply.header("expo-manifest-filters"))
        return Answer(
            manifest=self._manifest(parts.get("manifest"), chain, version, filters),
            directive=self._directive(parts.get("directive"), chain),
            extensions=_extensions(parts.get("extensions")),
            filters=filters,
            server_headers=_dictionary(reply.header("expo-server-defined-headers")),
            raw=parts,
        )

    def _parts(self, reply: Reply, version: int | None) -> dict[str, Part]:
        if reply.status == 204:
            if not version:
                raise Rejected("Empty body")
            return {}
        body = reply.decoded
        content_type = reply.header("content-type") or ""
        if not content_type.lower().startswith("multipart/"):
            return {"manifest": Part(_lower(reply), body)}
        if not body:
            return {}
        read = multipart.read_ios if self.platform == "ios" else multipart.read_android
        parts = read(body, multipart.boundary(content_type))
        return {part.name: part for part in parts if part.name}

    def _manifest(
        self,
        part: Part | None,
        chain: str,
        version: int | None,
        filters: Mapping[str, Any] | None,
    ) -> Manifest | None:
        if part is None:
            return None
        project = self._check(part, chain)
        if version is None:
            raise Rejected("Legacy manifests are no longer supported")
        if version not in {0, 1}:
            raise Rejected(f"unknown protocol version {version}")
        milliseconds = int(self.now.timestamp() * 1000)
        read = manifest.read_manifest(part.body, self.platform, now=milliseconds)
        if project is not None and project != read.project:
            raise Rejected("the certificate is for another project")
        if not selection.matches(read.metadata, filters):
            raise Rejected("Manifest filters do not match manifest content")
        return read

    def _directive(self, part: Part | None, chain: str) -> Directive | None:
        if part is None:
            return None
        project = self._check(part, chain)
        read = manifest.read_directive(part.body, self.platform)
        if project is not None and project != read.project:
            raise Rejected("the certificate is for another project")
        return read

    def _check(self, part: Part, chain: str) -> tuple[str, str] | None:
        if self.trust is None:
            return None
        # iOS looks for the name in small letters; Android does not mind.
        small = part.headers.get("expo-signature")
        header = small if self.platform == "ios" else part.header("expo-signature")
        return self.trust.check(header, part.body, chain, now=self.now)


def _version(header: str | None) -> int | None:
    if header is None:
        return None
    try:
        return int(header)
    except ValueError as error:
        raise Rejected(f"the protocol version {header!r} is no number") from error


def _dictionary(header: str | None) -> Mapping[str, Any] | None:
    return None if header is None else structured.simple_dictionary(header)


def _extensions(part: Part | None) -> Mapping[str, Any] | None:
    if part is None:
        return None
    try:
        known = json.loads(part.body)
    except ValueError as error:
        raise Rejected("the extensions are no JSON") from error
    if not isinstance(known, dict):
        raise Rejected("the extensions are no JSON object")
    return known


def _lower(reply: Reply) -> dict[str, str]:
    """HTTP headers, unlike those of parts, are found whatever their case."""
    return {name.lower(): value for name, value in reply.headers}
