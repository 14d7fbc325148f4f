"""Patches between bundles: classic bsdiff, checked by applying it, offered when it is worth it."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from shipway.kit import command, db, errors
from shipway.updates.board import Patch
from shipway.updates.files import Files

WORTH_IT = 0.6
"""A patch is offered when it is smaller than this part of the smallest full download."""

MOST_CPU_SECONDS = 60
LONGEST_SECONDS = 300.0
"""A busy machine takes longer for the same work."""
TRIES = 3
AGAIN = datetime.timedelta(hours=1)
"""What a busy machine or a missing file kept from being made is tried again, so often and so much
later."""
LARGEST_BUNDLE = 48 * 1024 * 1024
"""bsdiff takes some 20 bytes of memory for each byte of the older bundle."""
MOST_MEMORY = 2 * 1024**3
"""Address space of the process that makes a patch, in bytes."""

PACKED = ".patch"

_SQL = db.queries(__package__, "patches.sql")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two bundles by SHA-256."""

    base: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a pair: a patch that is offered, or a sentence why there is none. ``again``
    says that another try may give one."""

    base: str
    target: str
    offered: bool
    file: str
    size: int
    full_size: int
    hits: int
    sentence: str
    again: bool = False


class Patches:
    """Patches on record."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def offered(self, app: str) -> Sequence[Patch]:
        rows = await self._db.rows(_SQL["offered_patches"], app=app)
        return [Patch(**row) for row in rows]

    async def all(self, app: str) -> Sequence[Made]:
        """Return every pair that was tried, newest first."""
        return [Made(**row) for row in await self._db.rows(_SQL["patches"], app=app)]

    async def wanted(self, app: str, branch: str, *, most: int) -> Sequence[Pair]:
        """Return the pairs that were not tried yet, or are due again: to what each line offers first, from what
        most devices run, from what it offered before, and from what store builds came with."""
        rows = await self._db.rows(_SQL["wanted_patches"], app=app, branch=branch, most=most)
        return [Pair(**row) for row in rows]

    async def keep(self, app: str, made: Made) -> None:
        await self._db.run(
            _SQL["keep_patch"],
            app=app,
            base=made.base,
            target=made.target,
            file=made.file,
            size=made.size,
            full_size=made.full_size,
            offered=made.offered,
            sentence=made.sentence,
            wait=AGAIN if made.again else None,
            tries=TRIES,
        )


class Patcher:
    """Makes patches, each in a process of its own with bounds on time and memory."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def make(self, pair: Pair) -> Made:
        """Make the patch of a pair, prove it and keep it. Says why when there is none."""
        base, target = self._files.path(pair.base), self._files.path(pair.target)
        if not base.exists() or not target.exists():
            return _none(pair, 0, "One of the bundles is not there.", again=True)
        full = self._smallest(pair.target)
        if max(base.stat().st_size, target.stat().st_size) > LARGEST_BUNDLE:
            return _none(pair, full, "The bundles are too large to make a patch of.")
        with self._files.room() as folder:
            draft = folder / "patch"
            try:
                await _diff(base, target, draft)
            except errors.Failed as error:
                return _none(pair, full, f"No patch was made: {error.what}", again=True)
            return await self._judge(pair, draft, full)

    async def _judge(self, pair: Pair, draft: pathlib.Path, full: int) -> Made:
        size = draft.stat().st_size
        if size > full * WORTH_IT:
            why = f"The patch has {size} bytes where the whole has {full}: not worth it."
            return _none(pair, full, why)
        name = await asyncio.to_thread(_digest, draft)
        await self._files.add(draft, name, "zip")
        return Made(
            base=pair.base,
            target=pair.target,
            offered=True,
            file=name,
            size=size,
            full_size=full,
            hits=0,
            sentence=f"{size} bytes instead of {full}.",
        )

    def _smallest(self, sha256: str) -> int:
        """Bytes of the smallest full download."""
        paths = (self._files.path(sha256, encoding) for encoding in ("", "zstd", "br", "gzip"))
        return min(path.stat().st_size for path in paths if path.exists())


async def _diff(base: pathlib.Path, target: pathlib.Path, draft: pathlib.Path) -> None:
    """Make a patch and apply it, as a device would. Raises `errors.Failed`."""
    await command.run(
        command.Command(
            argv=(
                *command.BEHIND_THE_APPS,
                "/usr/bin/prlimit", f"--as={MOST_MEMORY}", f"--cpu={MOST_CPU_SECONDS}",
                sys.executable, "-P", "-m", "shipway.updates.bsdiff",
                str(base), str(target), str(draft),
            ),
            env=command.base_environment(),
            timeout=LONGEST_SECONDS,
        )
    )  # fmt: skip


def _none(pair: Pair, full: int, sentence: str, *, again: bool = False) -> Made:
    return Made(
        base=pair.base,
        target=pair.target,
        offered=False,
        file="",
        size=0,
        full_size=full,
        hits=0,
        sentence=sentence,
        again=again,
    )


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
