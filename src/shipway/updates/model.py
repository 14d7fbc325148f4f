"""Updates, rollouts, and what a device is to get. Pure decisions."""

from __future__ import annotations

import datetime
import hashlib
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PlatformName = Literal["ios", "android"]
PLATFORMS: tuple[PlatformName, ...] = ("ios", "android")

EntryKind = Literal["update", "embedded"]

WHOLE = 1000
"""Rollouts are per mille."""

BRANCH = "branch"
"""The key of a manifest's metadata that the filter of each channel asks for: a device that comes
from another branch leaves what it runs, however new that is."""

MOST_FAILED = 16
"""A client names at most 5 updates that failed; more than this is nonsense."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_MASK = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class Signed:
    """Exact bytes, as text, and their signatures (standard base64) by the key's id."""

    body: str
    signatures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that a line of updates offered at ``created`` (milliseconds since 1970).

    Of kind ``update`` it is a manifest; of kind ``embedded`` a directive back to what the store
    build came with. ``per_mille`` of the devices get it; ``salt`` decides which. ``launch`` is
    the SHA-256 of the update's bundle.
    """

    id: str
    kind: EntryKind
    created: int
    signed: Signed
    per_mille: int = WHOLE
    salt: int = 0
    launch: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What devices of one platform and runtime version are offered, newest first.

    ``known`` tells when each update of this line was created, those no longer offered included.
    """

    platform: str
    runtime: str
    entries: tuple[Entry, ...]
    known: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a request for a manifest says of the device. Identifiers are in lower case, or ""."""

    platform: str
    runtime: str
    protocol: int = 1
    client: str = ""
    current: str = ""
    embedded: str = ""
    failed: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a device gets: an entry, or nothing new."""

    entry: Entry | None = None

    @property
    def kind(self) -> Literal["manifest", "embedded", "none"]:
        if self.entry is None:
            return "none"
        return "manifest" if self.entry.kind == "update" else "embedded"


NOTHING = Choice()


def choose(line: Line | None, asked: Asked, *, failed: Collection[str] = ()) -> Choice:
    """Return what a device gets from its line.

    The newest entry whose rollout has reached the device and that has not failed there. Nothing
    when the device runs it already, or runs something newer of the same line.
    """
    entry = (
        _first(line, asked, {*failed, *asked.failed} if asked.failed else failed) if line else None
    )
    if line is None or entry is None:
        return NOTHING
    if entry.kind == "embedded":
        at_home = bool(asked.embedded) and asked.current == asked.embedded
        return NOTHING if at_home else Choice(entry=entry)
    if entry.id == asked.current and asked.protocol == 0:
        # Version 0 of the protocol cannot say "nothing new"; its clients know the id again.
        return Choice(entry=entry)
    runs = line.known.get(asked.current)
    if entry.id == asked.current or (runs is not None and runs >= entry.created):
        return NOTHING
    return Choice(entry=entry)


def _first(line: Line, asked: Asked, failed: Collection[str]) -> Entry | None:
    for entry in line.entries:
        if entry.id not in failed and reaches(entry, asked.client):
            return entry
    return None


def reaches(entry: Entry, client: str) -> bool:
    """Return whether a rollout has reached an installation.

    Who has no id comes last, with the whole.
    """
    if entry.per_mille >= WHOLE:
        return True
    return bool(client) and place(client, entry.salt) < entry.per_mille


def place(client: str, salt: int) -> int:
    """Return where an installation stands in a rollout: 0 to 999, the same each time.

    Splitmix64 over both halves of the id, as `EASClientID.deterministicUniformValue` of Expo's
    clients has it, with the salt of the rollout. A share that grows never loses anybody.
    """
    high, low = _halves(client)
    return _mix(high ^ _mix(low ^ salt)) * WHOLE >> 64


def normal_id(text: str) -> str:
    """Return an id as it is compared: iOS writes UUIDs in upper case, Android in lower case."""
    return text.strip().strip("{}").lower()


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID as clients send it, in lower case."""
    return _UUID.fullmatch(text) is not None


def salt_of(group: str) -> int:
    """Return the salt of a group of updates: both platforms roll out to the same people."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big")


def _halves(client: str) -> tuple[int, int]:
    try:
        number = uuid.UUID(client).int
    except ValueError:
        number = int.from_bytes(hashlib.sha256(client.encode()).digest()[:16], "big")
    return number >> 64, number & _MASK


def _mix(value: int) -> int:
    """Splitmix64 (Steele, Lea and Flood, 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def milliseconds(moment: datetime.datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def timestamp(created: int) -> str:
    """Return a time as clients read it: exactly three fractional digits and a literal Z.

    Android reads anything else as another time, or as now.
    """
    moment = datetime.datetime.fromtimestamp(created // 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{created % 1000:03d}Z"


def next_created(now: int, *, latest: Sequence[int]) -> int:
    """Return when something new was created: later than all that its devices may run, whatever
    the clock says."""
    return max([now, *(moment + 1 for moment in latest)])
