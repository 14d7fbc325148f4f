"""A board: all that `intake` must know of a channel, as one file that is replaced whole.

Boards stand in ``SHIPWAY_HOME/updates/boards/<app>/<channel>.json``. The worker writes, `intake`
reads; a board that was read once can be served while disk and database are away.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from shipway.kit import errors
from shipway.updates.model import Entry, Line, Signed

FORMAT = 1

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A bsdiff from one bundle to another, both by SHA-256. Sizes are in bytes."""

    base: str
    target: str
    file: str
    size: int
    full_size: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """A channel as it is served. ``chains`` maps the ids of its keys to the PEM certificates
    between the leaf and the root, or ""; ``launches`` maps updates, embedded ones included, to
    the SHA-256 of their bundle. ``headers`` are server-defined ones, None when never set."""

    app: str
    channel: str
    branch: str
    no_update: Signed
    lines: tuple[Line, ...]
    paused: bool = False
    chains: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] | None = None
    asset_headers: Mapping[str, str] = field(default_factory=dict)
    launches: Mapping[str, str] = field(default_factory=dict)
    patches: tuple[Patch, ...] = ()

    def line(self, platform: str, runtime: str) -> Line | None:
        for line in self.lines:
            if line.platform == platform and line.runtime == runtime:
                return line
        return None


def place(folder: pathlib.Path, app: str, channel: str) -> pathlib.Path:
    """Return where a board stands. Raises `errors.Invalid` for a name that cannot be one."""
    if not (_NAME.fullmatch(app) and _NAME.fullmatch(channel)):
        raise errors.Invalid(f"{app[:100]!r} has no channel {channel[:100]!r}.")
    return folder / app / f"{channel}.json"


def write(folder: pathlib.Path, board: Board) -> bool:
    """Put a board in force, whole or not at all. Returns whether it says anything new."""
    target = place(folder, board.app, board.channel)
    text = json.dumps({"format": FORMAT, **asdict(board)}, ensure_ascii=False)
    try:
        if target.read_text() == text:
            return False
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(target)
    return True


def apps(folder: pathlib.Path) -> set[str]:
    """Return the apps that have boards."""
    return {place.name for place in folder.glob("*/")}


def read(path: pathlib.Path) -> Board:
    """Read a board. Raises `OSError` when it cannot be read and `errors.Failed` when the file
    holds something else."""
    try:
        found = json.loads(path.read_text())
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        return _board(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.Failed(f"{path} is no board of updates: {error}") from error


def _board(found: dict[str, Any]) -> Board:
    kept = {
        **found,
        "no_update": Signed(**found["no_update"]),
        "lines": tuple(_line(line) for line in found["lines"]),
        "patches": tuple(Patch(**patch) for patch in found["patches"]),
    }
    return Board(**kept)


def _line(found: dict[str, Any]) -> Line:
    entries = tuple(
        Entry(**{**entry, "signed": Signed(**entry["signed"])}) for entry in found["entries"]
    )
    return Line(**{**found, "entries": entries})
