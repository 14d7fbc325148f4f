"""What requests tell of devices, written in batches off the hot path, for the worker to read.

One JSON array a line, in files that only grow and are begun anew after a while. An installation's
id is hashed with a salt that never leaves this process's folder. What failed where is remembered
here too, over restarts: a device is never offered an update that failed on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import pathlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable

from shipway.kit import log
from shipway.updates.model import MOST_FAILED, Asked

FLUSH_SECONDS = 1.0
MOST_WAITING = 50_000
"""Sightings beyond this are counted and dropped: a storm must not fill the memory."""
MOST_FAILURES = 200_000
"""Installations whose failures are remembered: those that failed last."""
LONGEST_FILE = 8 * 1024 * 1024
MOST_FILES = 32
"""Older files are removed: 256 MiB are enough for a worker that was away for long."""
LONGEST_TEXT = 500

ASKED, FETCHED = "a", "f"
"""The first item of a line: a check for an update, or a download of a bundle."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))

_SCRUBBED = (
    # Begun nowhere but at the begin of a word, and never given back: no text takes long.
    (re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.]+"), "<email>"),
    (re.compile(r"(?i)(bearer|token|password|secret|key)(\W{1,3})\S+"), r"\1\2<hidden>"),
    (re.compile(r"\?[^\s\"')]+"), "?<query>"),
    (re.compile(r"(?:/(?:var|data|users|home|private)/)\S*", re.IGNORECASE), "<path>"),
    (re.compile(r"\d{6,}"), "<number>"),
)

NEVER: frozenset[str] = frozenset()

_log = log.get("intake")

Sighting = tuple[str, float, str, str, str, str, str, str, str, tuple[str, ...], str, str, int]


class Sightings:
    """Sightings that wait to be written, and the failures that were reported."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._waiting: list[Sighting] = []
        self._failures: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._failed: list[str] = []
        self._failed_lines = 0
        self._dropped = 0
        self._salt = b""
        self._writing = asyncio.Lock()
        self._file: pathlib.Path | None = None

    def asked(self, app: str, channel: str, asked: Asked, offered: str) -> None:
        """Remember a check for an update, and what was offered."""
        if asked.failed and asked.client:
            self._remember(self._hashed(asked.client), asked.failed)
        self._add(
            (ASKED, time.time(), app, channel, asked.platform, asked.runtime, asked.client,
             asked.current, asked.embedded, asked.failed, asked.error, offered, 0)
        )  # fmt: skip

    def fetched(self, app: str, client: str, update: str, base: str, saved: int) -> None:
        """Remember that a bundle was downloaded; ``saved`` bytes less than the whole."""
        self._add((FETCHED, time.time(), app, "", "", "", client, base, "", (), "", update, saved))

    def failed(self, client: str) -> Collection[str]:
        """Return the updates that failed on an installation."""
        return self._failures.get(self._hashed(client), NEVER) if self._failures else NEVER

    async def open(self) -> None:
        """Take up what an earlier process knew."""
        await asyncio.to_thread(self._open)

    async def keep_writing(self) -> None:
        """Write what waits, for ever, and the rest when this is cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await self.flush()
        finally:
            self._write(*self._taken())

    async def flush(self) -> None:
        """Write what waits. When this returns, all that was seen before stands in the files."""
        if self._dropped:
            _log.warning("sightings.dropped", count=self._dropped)
            self._dropped = 0
        async with self._writing:
            if self._waiting:
                await asyncio.to_thread(self._write, *self._taken())

    def _taken(self) -> tuple[list[Sighting], list[str]]:
        """Take what waits to be written."""
        waiting, self._waiting = self._waiting, []
        failed, self._failed = self._failed, []
        return waiting, failed

    def _add(self, sighting: Sighting) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
        else:
            self._waiting.append(sighting)

    def _remember(self, client: str, failed: Iterable[str]) -> None:
        """Remember failures; those that are new wait to be written. A client repeats itself at
        each check."""
        known = self._failures.get(client, ())
        both = tuple(dict.fromkeys((*known, *failed)))[-MOST_FAILED:]
        if both == known:
            return
        self._failures[client] = both
        self._failures.move_to_end(client)
        self._failed.append(_failed_line(client, both))
        while len(self._failures) > MOST_FAILURES:
            self._failures.popitem(last=False)

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        salt = self._folder.parent / "salt"
        if not salt.exists():
            _replace(salt, secrets.token_bytes(16))
        self._salt = salt.read_bytes()
        self._recall()

    def _recall(self) -> None:
        """Take up the failures on record, and write them anew: the last line of each device."""
        with contextlib.suppress(OSError), self._failures_file.open() as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    client, *failed = json.loads(line)
                    self._remember(client, failed)
        self._failed = [_failed_line(client, failed) for client, failed in self._failures.items()]
        _replace(self._failures_file, "".join(self._failed).encode())
        self._failed_lines, self._failed = len(self._failed), []

    @property
    def _failures_file(self) -> pathlib.Path:
        return self._folder.parent / "failed.ndjson"

    def _write(self, sightings: list[Sighting], failed: list[str]) -> None:
        """A disk that is full or away loses sightings; it does not stop the serving."""
        try:
            lines = "".join(f"{self._line(one)}\n" for one in sightings)
            with self._current().open("a") as file:
                file.write(lines)
            self._write_failures(failed)
        except OSError as error:
            _log.warning("sightings.lost", count=len(sightings), why=str(error))

    def _write_failures(self, failed: list[str]) -> None:
        """Append what is new; a file that has become long begins again with its newer half."""
        self._failed_lines += len(failed)
        if failed:
            with self._failures_file.open("a") as file:
                file.write("".join(failed))
        if self._failed_lines > 2 * MOST_FAILURES:
            newer = self._failures_file.read_bytes().splitlines(keepends=True)[-MOST_FAILURES:]
            _replace(self._failures_file, b"".join(newer))
            self._failed_lines = len(newer)

    def _line(self, sighting: Sighting) -> str:
        kind, at, app, channel, platform, runtime, client, *rest = sighting
        current, embedded, failed, error, offered, saved = rest
        told = (kind, round(at, 3), app, channel, platform, runtime, self._hashed(client))
        said = scrubbed(str(error)) if error else ""
        return _ENCODER.encode((*told, current, embedded, failed, said, offered, saved))

    def _hashed(self, client: str) -> str:
        if not client:
            return ""
        return hashlib.blake2b(client.encode(), key=self._salt, digest_size=12).hexdigest()

    def _current(self) -> pathlib.Path:
        if self._file is None or not self._file.exists() or _size(self._file) > LONGEST_FILE:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._folder / f"{time.time_ns():020d}.ndjson"
            self._file.touch(mode=0o640)
            for old in sorted(self._folder.glob("*.ndjson"))[:-MOST_FILES]:
                old.unlink(missing_ok=True)
        return self._file


def scrubbed(text: str) -> str:
    """Return a text without what may be personal, cut to a bounded length."""
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST_TEXT]


def _failed_line(client: str, failed: Iterable[str]) -> str:
    return f"{json.dumps([client, *failed])}\n"


def _replace(path: pathlib.Path, data: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_bytes(data)
    draft.replace(path)


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size
