"""Which source has changed: a look at the files every so often, which works on every system."""

from __future__ import annotations

import asyncio
import os
import pathlib
from collections.abc import Iterator, Mapping

EVERY_SECONDS = 0.5

_PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv", "dist", "build"})

Snapshot = Mapping[str, tuple[int, int]]


class Sources:
    """The files below a folder whose names end in one of ``suffixes``; all of them without any.

    Hidden folders and those that tools make are passed over.
    """

    def __init__(self, folder: pathlib.Path, suffixes: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._suffixes = suffixes

    def now(self) -> Snapshot:
        """Return each file's time of change and size."""
        return dict(self._files(str(self.folder)))

    async def changed(self, since: Snapshot) -> str:
        """Wait until a file is another than in ``since``, and return its path in the folder."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)  # nobody tells without a package for each system
            now = await asyncio.to_thread(self.now)
            if other := sorted({*now.items()} ^ {*since.items()}):
                return os.path.relpath(other[0][0], self.folder)

    def _files(self, folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
        try:
            entries = list(os.scandir(folder))
        except OSError:  # removed meanwhile, or not ours to read
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in _PASSED_OVER:
                    yield from self._files(entry.path)
            elif not self._suffixes or entry.name.endswith(self._suffixes):
                try:
                    found = entry.stat()
                except OSError:
                    continue
                yield entry.path, (found.st_mtime_ns, found.st_size)
