"""The boards of all channels, in memory. What was read once is served while the disk is away."""

from __future__ import annotations

import asyncio
import pathlib

from shipway.intake.answering import Answers
from shipway.kit import errors, log
from shipway.updates import board

LOOK_AGAIN = 0.2
"""Seconds after which a change of a board is seen at the latest."""

_log = log.get("intake")

_Stamp = tuple[int, int, int]


class Boards:
    """Boards by app and channel."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._found: dict[tuple[str, str], Answers] = {}
        self._stamps: dict[pathlib.Path, _Stamp] = {}

    def get(self, app: str, channel: str) -> Answers | None:
        return self._found.get((app, channel))

    async def load(self) -> None:
        """Read every board that has changed. One that cannot be read stays as it was; an app
        whose folder is gone was removed."""
        for app in await asyncio.to_thread(self._removed):
            _log.info("boards.removed", app=app)
            self._found = {key: found for key, found in self._found.items() if key[0] != app}
        for path, stamp in await asyncio.to_thread(self._changed):
            try:
                made = await asyncio.to_thread(board.read, path)
            except (OSError, errors.Failed) as error:
                _log.warning("board.unreadable", path=str(path), why=str(error))
            else:
                self._found[made.app, made.channel] = Answers(made)
            self._stamps[path] = stamp

    async def watch(self) -> None:
        """Look for changes for ever."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            await self.load()

    def _removed(self) -> set[str]:
        """Return the apps that have no folder any more. None when the disk is away."""
        try:
            there = {path.name for path in self._folder.iterdir()}
        except OSError:
            return set()
        return {app for app, _ in self._found} - there

    def _changed(self) -> list[tuple[pathlib.Path, _Stamp]]:
        changed = []
        for path in self._folder.glob("*/[!.]*.json"):
            try:
                stat = path.stat()
            except OSError:
                continue
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if self._stamps.get(path) != stamp:
                changed.append((path, stamp))
        return changed
