"""Disk that builds leave to others: while less is free they wait, and then they are refused."""

from __future__ import annotations

import asyncio
import pathlib
import time
from collections.abc import Callable

from shipway.kit import disk, errors

LOOK_SECONDS = 2.0
PATIENCE = 600.0
"""So long a build waits for somebody, or for housekeeping, to make room."""

FIX = "Make room: `shipway housekeeping`, then look with `shipway doctor`."


class Reserve:
    """So many bytes of the file system of ``folder`` stay free."""

    def __init__(
        self,
        folder: pathlib.Path,
        kept: int,
        *,
        patience: float = PATIENCE,
        measure: Callable[[pathlib.Path], disk.Space] = disk.space,
    ) -> None:
        self._folder = folder
        self._kept = kept
        self._patience = patience
        self._measure = measure

    def short(self) -> str:
        """Say what is missing, or nothing while there is room."""
        return lack(self._measure(self._folder), self._kept)

    async def wait(self, say: Callable[[str], object]) -> None:
        """Return once there is room. Says at once why it waits, and that it goes on. Raises
        `errors.Refused` when there is still none after some minutes."""
        if not (why := self.short()):
            return
        say(f"This waits for room on the disk: {why} {FIX}")
        until = time.monotonic() + self._patience
        while why := self.short():
            if time.monotonic() >= until:
                waited = f"after {self._patience / 60:g} minutes" if self._patience else "now"
                raise errors.Refused(f"The disk is too full to build, {waited}: {why}", fix=FIX)
            await asyncio.sleep(LOOK_SECONDS)
        say("There is room again: this goes on.")


def lack(found: disk.Space, kept: int) -> str:
    """Say what was found and what is needed; nothing when there is enough."""
    if found.free < kept:
        return f"{found.where} has {disk.shown(found.free)} free, {disk.shown(kept)} are needed."
    if found.files and found.files_free * 50 < found.files:
        return (
            f"{found.where} can hold {found.files_free:,} more files,"
            f" {found.files // 50:,} are needed."
        )
    return ""
