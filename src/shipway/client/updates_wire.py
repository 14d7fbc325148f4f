"""Requests and responses about over-the-air updates."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from shipway.client.wire import Answer, Moment, Request

Action = Literal[
    "publish",
    "share",
    "pause",
    "resume",
    "revert",
    "roll_back",
    "channel",
    "create_key",
    "import_key",
    "rotate_key",
    "retire_key",
    "remove_garbage",
]

Text = Annotated[str, pydantic.StringConstraints(max_length=1000)]


Pem = Annotated[str, pydantic.StringConstraints(max_length=50_000)]


class Update(Answer):
    """What became visible together: one manifest for each platform and runtime version."""

    id: str
    number: int
    environment: str
    kind: str
    """publish, republish or embedded."""
    state: str
    """rolling, paused, whole or reverted."""
    per_mille: int
    release: str
    version: str
    commit: str
    message: str
    author: str
    size: int
    """Bytes that fresh devices download, all platforms together, before compression."""
    sentence: str
    created: Moment


class Manifest(Answer):
    """One platform's update, and how far it has come on devices."""

    id: str
    platform: str
    runtime: str
    kind: str
    """update, or embedded: the way back to what the store build came with."""
    created: str
    """As the manifest has it."""
    fingerprint: str
    size: int
    offered: int = 0
    downloaded: int = 0
    launched: int = 0
    failed: int = 0
    silent: int = 0
    """Devices that were offered it and not heard of since."""
    running: int = 0


class Failure(Answer):
    error: str
    devices: int


class Patch(Answer):
    """A patch between two bundles, or the reason why none is offered."""

    base: str
    target: str
    offered: bool
    size: int
    full_size: int
    hits: int
    saved: int
    """Bytes that were not sent thanks to it."""
    sentence: str


class UpdateInFull(Update):
    manifests: tuple[Manifest, ...]
    failures: tuple[Failure, ...]
    patches: tuple[Patch, ...]


class ChangeUpdates(Request):
    """Something for the worker to do about updates; each action reads the fields that it needs."""

    action: Action
    environment: Text = ""
    release: Text = ""
    update: Text = ""
    message: Text = ""
    to: Text = ""
    per_mille: Annotated[int, pydantic.Field(ge=0, le=1000)] = 1000
    name: Text = ""
    paused: bool | None = None
    pinned: Text | None = None
    branch: Text = ""
    headers: dict[str, Text] | None = None
    asset_headers: dict[str, Text] | None = None
    key: Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z0-9._-]{0,64}$")] = ""
    certificate: Pem = ""
    chain: Pem = ""


class Change(Answer):
    """What came of it. ``about`` is the update or key that it led to."""

    id: str
    action: str
    state: Literal["waiting", "done", "refused"]
    sentence: str
    about: str
    by: str
    created: Moment


class UpdateChannel(Answer):
    name: str
    branch: str
    paused: bool
    pinned: str = ""
    headers: dict[str, str] = pydantic.Field(default_factory=dict)
    """What devices are told to send back with each check."""
    asset_headers: dict[str, str] = pydantic.Field(default_factory=dict)
    """What devices are told to send with each download."""


class UpdateKey(Answer):
    id: str
    certificate: str
    external: bool
    created: Moment
    retired: Moment | None


class RegisterBuild(Request):
    """A native build in users' hands. ``committed`` is the time of its embedded update."""

    platform: Literal["ios", "android"]
    version: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100)]
    runtime: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)]
    fingerprint: Text = ""
    embedded: Annotated[str, pydantic.StringConstraints(pattern=r"^([0-9a-fA-F-]{36})?$")] = ""
    committed: Annotated[int, pydantic.Field(ge=0, lt=2**53)] = 0
    release: Text = ""
    """The release whose export is embedded, as a base for patches."""
    bundle: Annotated[str, pydantic.StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The SHA-256 of the embedded bundle, which was handed in before."""


class StoreBuild(Answer):
    id: str
    platform: str
    version: str
    runtime: str
    fingerprint: str
    embedded: str
    committed: int
    by: str
    created: Moment


class UpdateGarbage(Answer):
    """Files that no servable update and no patch refers to any more."""

    files: tuple[str, ...]
    size: int
    kept: int
