"""The s6 tree: one folder for each service, linked into the folder that s6-svscan watches.

Killing s6-svscan ends nothing: each service has a supervisor and a log process of its own.
A restarted s6-svscan starts another supervisor for each, which finds the first and gives way.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import pathlib
import secrets
import shlex
from dataclasses import dataclass

from shipway.kit import clock, command, errors
from shipway.runtime.drivers import definition, fence, leaks, processes
from shipway.runtime.model import Kind, Observed, Place

_SEEN = "up,pid,wantedup,updownfor"
_PATIENCE = 45.0
_RECENT = 60.0
"""Seconds on top of a service's grace: the longest back-off, and some."""
_LONGEST_NOISE = 1024 * 1024
_MOST_SERVICES = "4000"


@dataclass(frozen=True)
class _Status:
    up: bool = False
    pid: int = 0
    wanted_up: bool = False
    seconds: int = 0


class Tree:
    """The services of one SHIPWAY_HOME."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._kept = folder / ".kept"
        self._noise = folder / ".noise.log"
        self._watching = asyncio.Lock()

    async def watch(self) -> bool:
        """Start s6-svscan, detached from us, unless it runs. Returns whether it was started."""
        async with self._watching:
            if await self.is_watched():
                return False
            self._kept.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            start = self.folder / ".start"
            start.write_text(
                f"#!/bin/sh\nexec s6-svscan -c {_MOST_SERVICES} {shlex.quote(str(self.folder))}"
                f" </dev/null >>{shlex.quote(str(self._noise))} 2>&1\n"
            )
            start.chmod(0o700)
            await _s6("setsid", "--fork", str(start))
            async with asyncio.timeout(10):
                while not await self.is_watched():  # noqa: ASYNC110 -- it tells nobody when it listens
                    await asyncio.sleep(0.02)
            return True

    async def is_watched(self) -> bool:
        """Say whether s6-svscan runs: it holds the reading end of its control pipe."""
        if not (self.folder / ".s6-svscan" / "control").exists():
            return False
        return await _succeeds("s6-svscanctl", "-z", str(self.folder))

    async def rest(self, name: str) -> None:
        """Stop a service until the tree is watched again."""
        if self.has(name):
            await self._stop(self._kept / name, self.about(name).grace, "-d")
            await self.end_orphans(name)

    async def stop_watching(self) -> None:
        """End s6-svscan and every supervisor; what they kept starts again with the next `watch`."""
        if await self.is_watched():
            await _s6("s6-svscanctl", "-t", str(self.folder))
        for name in self.names():
            kept = self._kept / name
            await self._stop(kept, self.about(name).grace, "-xd")
            await self._release(kept)

    def quieten(self) -> None:
        """Keep the words of s6-svscan itself from filling the disk."""
        with contextlib.suppress(FileNotFoundError):
            if self._noise.stat().st_size > _LONGEST_NOISE:
                self._noise.write_bytes(b"")

    async def keep(self, plan: definition.Plan) -> None:
        """Have the service running and kept. Its name must be free, or this very definition's."""
        name = plan.service.name
        kept = self._kept / name
        await self.watch()
        if not kept.is_dir():
            await asyncio.to_thread(definition.write, plan, kept)
        if (self.folder / name).is_symlink():
            await _s6("s6-svc", "-u", str(kept), check=False)
        else:
            await _s6("s6-svlink", "-f", "-t", "15000", str(self.folder), str(kept), name)
            # Its supervisor is there; give the service itself a moment, so that it is seen up.
            await _succeeds("s6-svwait", "-u", "-t", "1000", str(kept))

    def holds(self, plan: definition.Plan) -> bool:
        """Say whether this very definition is kept."""
        try:
            known = (self._kept / plan.service.name / "definition").read_text()
        except FileNotFoundError:
            return False
        return known == definition.digest(plan)

    def has(self, name: str) -> bool:
        return bool(definition.NAME.fullmatch(name)) and (self._kept / name).is_dir()

    def names(self) -> list[str]:
        """Return the names of all kept services, sorted."""
        if not self._kept.is_dir():
            return []
        return sorted(
            entry.name for entry in self._kept.iterdir() if definition.NAME.fullmatch(entry.name)
        )

    def about(self, name: str) -> definition.About:
        """Return what is remembered of a service. Raises `errors.NotFound`."""
        try:
            return definition.about(self._kept / name)
        except FileNotFoundError as error:
            raise errors.NotFound(f"There is no service {name}.") from error

    async def drop(self, name: str) -> None:
        """Stop a service, end its orphans, and forget it. It may be gone already."""
        if not self.has(name):
            return
        kept = self._kept / name
        await self._unlink(kept, self.about(name).grace)
        await self.end_orphans(name)
        await self._end_leaks(name, 0)
        gone = self._kept / f".gone-{secrets.token_hex(8)}"
        kept.rename(gone)
        await asyncio.to_thread(fence.remove_tree, gone)

    async def _unlink(self, kept: pathlib.Path, grace: float) -> None:
        (self.folder / kept.name).unlink(missing_ok=True)
        if await self.is_watched():
            await _s6("s6-svscanctl", "-an", str(self.folder))
        # The supervisor may also belong to an s6-svscan that is gone: it is told itself.
        await self._stop(kept, grace, "-xd")
        await self._release(kept)

    async def _release(self, kept: pathlib.Path) -> None:
        """Wait until both supervisors are gone. The log's ends at the end of what it reads."""
        for folder, patience in ((kept, 5.0), (kept / "log", 1.0)):
            if not await _unsupervised(folder, patience):
                await _succeeds("s6-svc", "-xd", str(folder))
                await _unsupervised(folder, 5.0)

    async def _stop(self, kept: pathlib.Path, grace: float, how: str) -> None:
        if not await _succeeds("s6-svok", str(kept)):
            return
        seconds = grace + _PATIENCE
        (kept / "leaving").touch()
        try:
            await self._wake(kept.name)
            words = ("s6-svc", "-wD", "-T", str(int(seconds * 1000)), how, str(kept))
            await _succeeds(*words, timeout=seconds + 5)
        finally:
            (kept / "leaving").unlink(missing_ok=True)

    async def orphans(self, name: str) -> list[processes.Process]:
        """Return the processes of this service that its supervisor does not know."""
        recorded = self.recorded(name)
        # Asked afterwards: who is recorded now and not known then has lost its supervisor.
        known = (await self._status(name)).pid if recorded else 0
        return [one for one in recorded if one.pid != known]

    async def end_orphans(self, name: str) -> list[processes.Process]:
        """End the orphans of this service, and let its successor start without further delay."""
        about = self.about(name)
        found = await self.orphans(name)
        await asyncio.gather(
            *(
                processes.end(one, uid=about.uid, stop_signal=about.signal, grace=about.grace)
                for one in found
            )
        )
        if found:
            await self._wake(name)
        return found

    async def end_leaks(self, name: str) -> list[processes.Process]:
        """End what an instance that dies again and again has left at its port. One that has an
        orphan is not touched: the orphan serves there."""
        if not self._is_dying(name) or await self.orphans(name):
            return []
        found = await self._end_leaks(name, (await self._status(name)).pid)
        if found:
            await self._wake(name)
        return found

    async def _end_leaks(self, name: str, pid: int) -> list[processes.Process]:
        about, port = self.about(name), Place.port_of(name)
        if about.owner.kind is not Kind.SERVER or not port:
            return []
        found = await asyncio.to_thread(leaks.at, port, uid=about.uid, pid=pid)
        for one in found:
            await processes.end(one, uid=about.uid, stop_signal=about.signal, grace=0.5)
        return found

    def _is_dying(self, name: str) -> bool:
        """Say whether it has died at least twice in a row, less than a minute ago."""
        try:
            _, streak, last = (self._kept / name / "deaths").read_text().split()
        except (FileNotFoundError, ValueError):
            return False
        return int(streak) > 1 and abs(clock.now().timestamp() - int(last)) < _RECENT

    async def _wake(self, name: str) -> None:
        """Cut short the wait between a death and the next start."""
        await _succeeds("s6-ftrig-notify", str(self._kept / name / "wake"), "x")

    def recorded(self, name: str) -> list[processes.Process]:
        """Return the processes that were started as this service and still live."""
        living = []
        for note in (self._kept / name / "pids").glob("*"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                started, boot = note.read_text().split()
                process = processes.Process(int(note.name), int(started), boot)
                if processes.is_alive(process):
                    living.append(process)
                else:
                    note.unlink()
        return living

    async def signal(self, name: str, signal: str) -> None:
        """Hand a signal to the service through its supervisor, which knows its child."""
        if signal not in definition.SIGNALS:
            raise errors.Invalid(f"{signal!r} is not one of {', '.join(definition.SIGNALS)}.")
        if not self.has(name):
            raise errors.NotFound(f"There is no service {name}.")
        await _s6("s6-svc", f"-{definition.SIGNALS[signal]}", str(self._kept / name))

    async def observe(self, name: str) -> Observed:
        """Observe one service. Raises `errors.NotFound`."""
        about = self.about(name)
        orphans = await self.orphans(name)
        status = await self._status(name)
        return Observed(
            name=name,
            owner=about.owner,
            up=status.up,
            pid=status.pid,
            since=clock.now() - datetime.timedelta(seconds=status.seconds),
            restarts=self._deaths(name),
            wanted_up=status.wanted_up,
            orphans=tuple(one.pid for one in orphans),
        )

    async def _status(self, name: str) -> _Status:
        seen = await _s6("s6-svstat", "-o", _SEEN, str(self._kept / name), check=False)
        if seen.status != 0:  # it has no supervisor
            return _Status()
        up, pid, wanted, seconds = seen.output.split()
        # s6-svstat says -1 for "none", which would mean "all" to kill.
        return _Status(up == "true", max(int(pid), 0), wanted == "true", int(seconds))

    def _deaths(self, name: str) -> int:
        try:
            return int((self._kept / name / "deaths").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return 0


async def _s6(*argv: str, timeout: float = 20, check: bool = True) -> command.Outcome:
    words = command.Command(argv=argv, env=command.base_environment(), timeout=timeout)
    return await command.run(words, check=check)


async def _unsupervised(folder: pathlib.Path, timeout: float) -> bool:
    """Wait until a folder has no supervisor."""
    try:
        async with asyncio.timeout(timeout):
            while await _succeeds("s6-svok", str(folder)):  # noqa: ASYNC110 -- it does not tell
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


async def _succeeds(*argv: str, timeout: float = 20) -> bool:
    try:
        return (await _s6(*argv, timeout=timeout, check=False)).status == 0
    except command.CommandFailed:  # it ran out of time
        return False
