"""Immutable files, each named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile

import obstore
import obstore.store

from shipway.kit import errors

CHUNK = 1024 * 1024


def digest_of(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Blobs:
    """A store of blobs: a folder by default, or S3, GCS or Azure by URL.

    Blobs are read through ``folder``, a local copy: fetched once, checked, then kept.
    """

    def __init__(self, folder: pathlib.Path, url: str = "") -> None:
        self.folder = folder
        self._remote = obstore.store.from_url(url) if url else None

    async def put(self, path: pathlib.Path) -> str:
        """Store a file and return its digest. Storing it again makes it young again."""
        digest = digest_of(path)
        target = self._place(digest)
        if not _touched(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
                with path.open("rb") as file:
                    while chunk := file.read(CHUNK):
                        copy.write(chunk)
                pathlib.Path(copy.name).chmod(0o644)
            pathlib.Path(copy.name).replace(target)
        if self._remote:
            await obstore.put_async(self._remote, _key(digest), target)
        return digest

    async def path(self, digest: str) -> pathlib.Path:
        """Return a local file with these bytes. Raises `errors.NotFound`, or `errors.Failed`
        when what the store holds is something else."""
        target = self._place(digest)
        if not target.exists():
            await self._fetch(digest, target)
        return target

    @property
    def is_remote(self) -> bool:
        """Whether blobs are kept elsewhere too."""
        return self._remote is not None

    def remove_local(self, digest: str, *, before: float) -> bool:
        """Remove the local copy if it was stored before a moment (Unix time). Says whether there
        is none any more; may be repeated."""
        target = self._place(digest)
        aside = target.with_name(f".{digest}.going")
        try:
            target.rename(aside)
        except FileNotFoundError:
            return True
        if aside.stat().st_mtime >= before:  # somebody has just stored it again
            aside.rename(target)
            return False
        aside.unlink()
        return True

    async def _fetch(self, digest: str, target: pathlib.Path) -> None:
        if self._remote is None:
            raise errors.NotFound(f"Artifact {digest[:12]} is not in the store.")
        try:
            found = await obstore.get_async(self._remote, _key(digest))
        except FileNotFoundError as error:
            raise errors.NotFound(f"Artifact {digest[:12]} is not in the store.") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
            async for chunk in found.stream(min_chunk_size=CHUNK):
                copy.write(chunk)
        fetched = pathlib.Path(copy.name)
        if digest_of(fetched) != digest:
            fetched.unlink()
            raise errors.Failed(
                f"Artifact {digest[:12]} in the store has other bytes than its name says."
            )
        fetched.chmod(0o644)
        fetched.replace(target)

    def _place(self, digest: str) -> pathlib.Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise errors.Invalid(f"{digest!r} is not a SHA-256 digest.")
        return self.folder / digest[:2] / digest


def _touched(path: pathlib.Path) -> bool:
    """Make a file young, and say whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _key(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest}"
