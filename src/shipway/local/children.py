"""The long-running children of one `shipway dev`, and what a killed one has left behind."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import AsyncIterator

from shipway.kit import command

GRACE = 5.0


class Children:
    """Starts children, and notes each in a folder for as long as it runs."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    @contextlib.asynccontextmanager
    async def running(
        self, wanted: command.Command, on_line: command.OnLine
    ) -> AsyncIterator[command.Running]:
        """Run a command beside the block, as `command.running` does."""
        async with command.running(wanted, on_line=on_line, grace=GRACE) as child:
            note = self._folder / str(child.pid)
            self._folder.mkdir(parents=True, exist_ok=True)
            note.write_text(await _started(child.pid))
            try:
                yield child
            finally:
                note.unlink(missing_ok=True)

    async def end_left(self) -> list[int]:
        """Kill the sessions that a killed predecessor has left, and return their ids.

        One whose leader was started at another time than noted is somebody else's.
        """
        ended = []
        for note in self._folder.glob("*"):
            pid, started = int(note.name), note.read_text()
            if pid > 1 and started and await _started(pid) == started:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                    ended.append(pid)
            note.unlink()
        return ended


async def _started(pid: int) -> str:
    """Return when a process was started, as `ps` of every system says it; empty without one."""
    asked = command.Command(
        argv=("ps", "-o", "lstart=", "-p", str(pid)), env=command.base_environment(), timeout=10
    )
    return (await command.run(asked, check=False)).output.strip()
