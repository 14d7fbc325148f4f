"""Bundles of store builds that people hand in: the API writes them, the worker takes them up."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import pathlib
import uuid
from collections.abc import AsyncIterator, Iterator

from shipway.kit import blobs, errors
from shipway.updates.files import SHA256, Files
from shipway.updates.manifests import BUNDLE
from shipway.updates.patching import LARGEST_BUNDLE


class Inbox:
    """A folder of bundles by their SHA-256."""

    def __init__(self, folder: pathlib.Path, files: Files) -> None:
        self._folder = folder
        self._files = files

    async def put(self, sha256: str, chunks: AsyncIterator[bytes]) -> int:
        """Keep a bundle as it comes in, and return its bytes. May be repeated.

        Raises `errors.Invalid` when it is empty, too large, or has other bytes than its name says.
        """
        if not SHA256.fullmatch(sha256):
            raise errors.Invalid(f"{sha256[:100]!r} is no SHA-256.")
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        draft = self._folder / f".{uuid.uuid4().hex}"
        try:
            size = await _written(draft, sha256, chunks)
            draft.chmod(0o640)
            draft.replace(self._folder / sha256)
        finally:
            draft.unlink(missing_ok=True)
        return size

    def has(self, sha256: str) -> bool:
        """Return whether a bundle is here, or was taken up already."""
        if not SHA256.fullmatch(sha256):
            return False
        return (self._folder / sha256).exists() or self._files.path(sha256).exists()

    async def take_up(self) -> int:
        """Have every bundle that waits among the files of updates. Returns how many came."""
        waiting = await asyncio.to_thread(lambda: list(self._waiting()))
        for path in waiting:
            # Whoever wrote it may be broken into: what it is called is proven again.
            if await asyncio.to_thread(blobs.digest_of, path) == path.name:
                await self._files.add(path, path.name, BUNDLE)
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self) -> Iterator[pathlib.Path]:
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if SHA256.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    yield path


async def _written(draft: pathlib.Path, sha256: str, chunks: AsyncIterator[bytes]) -> int:
    size, digest = 0, hashlib.sha256()
    with draft.open("xb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > LARGEST_BUNDLE:
                raise errors.Invalid(f"A bundle has at most {LARGEST_BUNDLE} bytes.")
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
    if not size or digest.hexdigest() != sha256:
        raise errors.Invalid("The bundle has other bytes than its name says.", fix="Try again.")
    return size
