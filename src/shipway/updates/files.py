"""The public files of updates: assets and patches, each by its SHA-256, with compressed copies.

They stand apart from the artifacts: whatever is in this folder may be asked for by anybody.
Nothing here is the only copy; an asset can be taken from its export again.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import pathlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from typing import IO

import brotli
import zstandard

ENCODINGS = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""Content encodings that assets are kept in, by preference, with the ending of the copy."""

WORTH_IT = 512
"""Smaller files fit into a packet as they are."""

LARGEST_PACKED = 64 * 1024 * 1024
"""Larger files are kept as they are: packing them takes minutes, and memory several times."""

COMPRESSED_ALREADY = {"png", "jpg", "jpeg", "gif", "webp", "mp3", "mp4", "m4a", "woff2", "zip"}

SHA256 = re.compile(r"[0-9a-f]{64}")


class Files:
    """A folder of files by SHA-256. Adding one again changes nothing."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def room(self) -> Iterator[pathlib.Path]:
        """Give an empty folder for what is under way. One that a death leaves behind is found among
        the `leftovers`."""
        self._under_way.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._under_way) as folder:
            yield pathlib.Path(folder)

    def leftovers(self, *, before: float) -> dict[str, int]:
        """Return what is under way since before a moment (seconds since 1970), with its bytes."""
        found = {}
        for one in self._under_way.iterdir() if self._under_way.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # it has just come to its end
                if one.lstat().st_mtime < before:
                    found[one.name] = _bytes(one)
        return found

    def clear(self, leftover: str) -> None:
        """Remove what was left behind. May be repeated."""
        path = self._under_way / pathlib.PurePath(leftover).name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @property
    def _under_way(self) -> pathlib.Path:
        return self.folder / ".under-way"

    def path(self, sha256: str, encoding: str = "") -> pathlib.Path:
        """Return where a file stands, or its copy in an encoding, whether or not it is there."""
        if not SHA256.fullmatch(sha256):
            raise ValueError(sha256)
        return self.folder / sha256[:2] / f"{sha256}{ENCODINGS.get(encoding, '')}"

    async def add(self, source: pathlib.Path, sha256: str, ending: str) -> None:
        """Keep a file, compressed as well where that makes it smaller."""
        await asyncio.to_thread(self._add, source, sha256, ending)

    def refresh(self, sha256s: Iterable[str]) -> bool:
        """Make files young again, so that they are no garbage. Returns whether all are there."""
        return False not in {_refreshed(self.path(sha256)) for sha256 in sha256s}

    async def remove(self, sha256s: Iterable[str], *, before: float) -> None:
        """Remove files, but for those that were added, or added again, since ``before``
        (seconds since 1970)."""
        await asyncio.to_thread(self._remove, tuple(sha256s), before)

    def size(self, sha256: str) -> int:
        """Return the bytes of a file and its copies."""
        paths = (self.path(sha256, encoding) for encoding in ("", *ENCODINGS))
        return sum(path.stat().st_size for path in paths if path.exists())

    def all(self) -> set[str]:
        """Return the names of all files."""
        names = (path.name for path in self.folder.glob("??/*"))
        return {name for name in names if SHA256.fullmatch(name)}

    def _add(self, source: pathlib.Path, sha256: str, ending: str) -> None:
        target = self.path(sha256)
        if _refreshed(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        size = source.stat().st_size
        if WORTH_IT <= size <= LARGEST_PACKED and ending not in COMPRESSED_ALREADY:
            for encoding, packed in compressed(source.read_bytes()).items():
                if len(packed) < size * 0.95:
                    self._write(self.path(sha256, encoding), io.BytesIO(packed))
        # Last: what is there has its copies.
        with source.open("rb") as data:
            self._write(target, data)

    def _write(self, target: pathlib.Path, data: IO[bytes]) -> None:
        self._under_way.mkdir(exist_ok=True)
        draft = self._under_way / f"{target.name}.{uuid.uuid4().hex}"
        with draft.open("wb") as file:
            shutil.copyfileobj(data, file)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(target)

    def _remove(self, sha256s: tuple[str, ...], before: float) -> None:
        for sha256 in sha256s:
            if self.path(sha256).exists() and self.path(sha256).stat().st_mtime >= before:
                continue
            for encoding in ("", *ENCODINGS):
                self.path(sha256, encoding).unlink(missing_ok=True)


def compressed(data: bytes) -> dict[str, bytes]:
    """Return the data in every encoding, each at a level that is near its best for its time."""
    return {
        "zstd": zstandard.ZstdCompressor(level=19).compress(data),
        "br": brotli.compress(data, quality=9),
        "gzip": gzip.compress(data, 9, mtime=0),
    }


def _refreshed(path: pathlib.Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _bytes(path: pathlib.Path) -> int:
    """Return what a file, or all files of a folder, take."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.lstat().st_size for file in files)
