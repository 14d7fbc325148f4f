"""What of the public files nobody can ask for any more."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.kit import clock, db
from shipway.updates.boards import MOST_ENTRIES
from shipway.updates.files import Files

SAFETY = datetime.timedelta(days=30)
"""A device that was offered an update may come for its assets so much later."""

LONGEST = datetime.timedelta(days=1)
"""No publish and no patch is under way for longer."""

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
        for name in found.files:
            await self.discard(name)
        return found

    async def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file that would go."""
        files = (await self.find()).files
        return await asyncio.to_thread(lambda: {name: self._files.size(name) for name in files})

    async def discard(self, name: str) -> None:
        """Remove a file that was found. May be repeated."""
        await self._db.run(_SQL["drop_patch"], file=name)
        # A publish may have come to need it meanwhile: it is young again then.
        await self._files.remove([name], before=self._safe)

    async def leftovers(self) -> Mapping[str, int]:
        """Return what a death has left half done, with its bytes."""
        before = (self._now() - LONGEST).timestamp()
        return await asyncio.to_thread(lambda: self._files.leftovers(before=before))

    async def clear(self, leftover: str) -> None:
        """Remove what was left half done. May be repeated."""
        await asyncio.to_thread(self._files.clear, leftover)

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
