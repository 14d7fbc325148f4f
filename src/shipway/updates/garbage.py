"""What of the public files nobody can ask for any more."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from shipway.kit import clock, db
from shipway.updates.boards import MOST_ENTRIES
from shipway.updates.files import Files

SAFETY = datetime.timedelta(days=30)
"""A device that was offered an update may come for its assets so much later."""

_SQL = db.queries(__package__)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Files that can go, by SHA-256, and the bytes that they take with their copies."""

    files: Sequence[str]
    size: int
    kept: int


class Garbage:
    """Finds and removes files that no servable update and no patch refers to."""

    def __init__(
        self, database: db.Database, files: Files, *, now: clock.Clock = clock.now
    ) -> None:
        self._db = database
        self._files = files
        self._now = now

    async def find(self) -> Found:
        """Return what would go, and leave everything as it is."""
        there = await asyncio.to_thread(self._old)
        kept = await self._referred()
        files = sorted(there - kept)
        size = await asyncio.to_thread(lambda: sum(map(self._files.size, files)))
        return Found(files=files, size=size, kept=len(kept))

    async def remove(self) -> Found:
        """Remove what can go. What is needed again, `Assets.ensure` takes from its export."""
        found = await self.find()
        gone = set(found.files)
        for patch in await self._db.rows(_SQL["patch_files"]):
            if patch["file"] in gone:
                keys = {name: patch[name] for name in ("app", "base", "target")}
                await self._db.run(_SQL["drop_patch"], **keys)
        # A publish may have come to need one meanwhile: it is young again then.
        await self._files.remove(found.files, before=self._safe)
        return found

    async def needed_exports(self) -> set[str]:
        """Return the artifacts (SHA-256) from which files of servable updates can be taken again."""
        safe = self._now() - SAFETY
        rows = await self._db.rows(_SQL["kept_entries"], most=MOST_ENTRIES, safe=safe)
        return {row["export"] for row in rows if row["kept"] and row["export"]}

    async def _referred(self) -> set[str]:
        """Return every file that may be asked for."""
        safe = self._now() - SAFETY
        rows = await self._db.rows(_SQL["kept_entries"], most=MOST_ENTRIES, safe=safe)
        kept = {asset["sha256"] for row in rows if row["kept"] for asset in row["assets"]}
        kept |= {row["launch"] for row in await self._db.rows(_SQL["embedded_launches"])}
        for patch in await self._db.rows(_SQL["patch_files"]):
            if patch["target"] in kept:
                kept.add(patch["file"])
        return kept

    def _old(self) -> set[str]:
        """Return the files that are older than the safety time: a publish that is under way has
        files that nothing refers to yet."""
        safe = self._safe
        return {name for name in self._files.all() if self._files.path(name).stat().st_mtime < safe}

    @property
    def _safe(self) -> float:
        return (self._now() - SAFETY).timestamp()
