"""What is fixed when an app is built, and what an installation of it keeps."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.expo_client.manifest import Asset, Platform
from tests.fakes.expo_client.selection import Row
from tests.fakes.expo_client.signing import Trust


def sha256(data: bytes) -> str:
    """Return a hash as manifests have it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Build:
    """What is in the binary. ``embedded_commit`` is in milliseconds since 1970."""

    platform: Platform
    url: str
    runtime_version: str
    request_headers: Mapping[str, str] = field(default_factory=dict)
    trust: Trust | None = None
    embedded_id: str | None = None
    embedded_commit: int = 0
    embedded_bundle: bytes = b"embedded"
    patches: bool = True

    @property
    def embedded(self) -> Row | None:
        """A fresh row of the embedded update."""
        if self.embedded_id is None:
            return None
        launch = Asset("embedded", "", "", hash=sha256(self.embedded_bundle))
        return Row(
            id=self.embedded_id,
            commit=self.embedded_commit,
            runtime_version=self.runtime_version,
            launch=launch,
            status="embedded",
        )


@dataclass
class Storage:
    """What outlives the app's process: its database, its files, its last words."""

    client_id: str | None
    rows: dict[str, Row] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    filters: Mapping[str, Any] | None = None
    server_headers: Mapping[str, Any] = field(default_factory=dict)
    extra_params: Mapping[str, str] = field(default_factory=dict)
    fatal_error: str | None = None

    def failed_ids(self) -> list[str]:
        """Return the updates that failed to launch, the newest first, at most five."""
        failed = [row for row in self.rows.values() if row.failed > 0]
        failed.sort(key=lambda row: row.commit, reverse=True)
        return [row.id for row in failed[:5]]
