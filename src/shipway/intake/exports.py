"""Exports unpacked for serving: a cache in a folder, bounded in bytes, filled when asked."""

from __future__ import annotations

import asyncio
import json
import pathlib
import shutil
import uuid
from collections import OrderedDict
from dataclasses import asdict
from typing import IO

from shipway.intake.model import Export, File
from shipway.intake.unpack import unpack
from shipway.kit import errors
from shipway.kit.blobs import Blobs

MOST_BYTES = 4 * 1024**3
"""Unpacked exports take no more room than this, save the one that was asked for last."""

INDEX = "index.json"
"""The list of an export's files. Written last: a folder without it is no export."""

FILES = "files"
"""The folder of the files, beside their list."""


class Exports:
    """Exports by digest. Many may ask for one at a time; it is unpacked once."""

    def __init__(self, folder: pathlib.Path, blobs: Blobs, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._blobs = blobs
        self._most_bytes = most_bytes
        # The one asked for last stands last.
        self._ready: OrderedDict[str, Export] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Export]] = {}

    async def open(self) -> None:
        """Take over what an earlier process unpacked, and clear away what it left half done."""
        found = await asyncio.to_thread(self._found)
        self._ready = OrderedDict(found)

    async def get(self, digest: str) -> Export:
        """Return an export, unpacked. Raises `errors.NotFound` when there is no such artifact,
        and `errors.Refused` when it is none that can be served."""
        if (ready := self._ready.get(digest)) is not None:
            self._ready.move_to_end(digest)
            return ready
        task = self._under_way.get(digest)
        if task is None:
            task = asyncio.create_task(self._prepare(digest))
            self._under_way[digest] = task
            task.add_done_callback(lambda done: self._ended(digest, done))
        # One client that hangs up must not end what others wait for.
        return await asyncio.shield(task)

    async def file(self, digest: str, path: str) -> IO[bytes]:
        """Open a file of an export. An export that was cleared away since is unpacked again."""
        place = self._folder / digest / FILES / path
        try:
            return await asyncio.to_thread(place.open, "rb")
        except FileNotFoundError:
            self._ready.pop(digest, None)
        await self.get(digest)
        return await asyncio.to_thread(place.open, "rb")

    def _ended(self, digest: str, task: asyncio.Task[Export]) -> None:
        del self._under_way[digest]
        # Looked at, so that a failure which nobody waited for any more is not reported as lost.
        if not task.cancelled():
            task.exception()

    async def _prepare(self, digest: str) -> Export:
        archive = await self._blobs.path(digest)
        export = await asyncio.to_thread(self._unpack, archive, digest)
        self._ready[digest] = export
        await self._make_room()
        return export

    def _unpack(self, archive: pathlib.Path, digest: str) -> Export:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".draft-{uuid.uuid4().hex}"
        draft.mkdir()
        try:
            (draft / FILES).mkdir()
            export = unpack(archive, draft / FILES)
            listed = {path: asdict(file) for path, file in export.items()}
            (draft / INDEX).write_text(json.dumps(listed))
            target = self._folder / digest
            if target.exists():
                self._remove(digest)
            draft.rename(target)
        except errors.ShipwayError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return export

    async def _make_room(self) -> None:
        sizes = {digest: _size(export) for digest, export in self._ready.items()}
        while sum(sizes.values()) > self._most_bytes and len(sizes) > 1:
            oldest = next(iter(self._ready))
            del self._ready[oldest], sizes[oldest]
            await asyncio.to_thread(self._remove, oldest)

    def _remove(self, digest: str) -> None:
        """Moved away first, so that no half of it can be taken for an export."""
        gone = self._folder / f".gone-{uuid.uuid4().hex}"
        (self._folder / digest).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _found(self) -> list[tuple[str, Export]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        found: list[tuple[str, Export]] = []
        for folder in sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime):
            try:
                listed = json.loads((folder / INDEX).read_text())
            except (OSError, ValueError):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                export = {path: File(**file) for path, file in listed.items()}
                found.append((folder.name, export))
        return found


def _size(export: Export) -> int:
    return sum(file.size for file in export.values())
