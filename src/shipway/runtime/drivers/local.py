"""The keeper itself: what the steward does with the rights that only it has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import re
import weakref
from collections.abc import Sequence

from shipway.kit import command, errors, settings
from shipway.runtime.drivers import (
    bounds,
    definition,
    fence,
    guarding,
    leaks,
    logs,
    processes,
    sandbox,
    unpacking,
)
from shipway.runtime.drivers import users as accounts
from shipway.runtime.drivers.tree import Tree
from shipway.runtime.model import Kind, Observed, Owner, Service, Task
from shipway.runtime.port import OnLine

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_POSTGRES = frozenset({Kind.STORE, Kind.CLUSTER})
"""PostgreSQL ends its own children; what is left in its group may be another server's."""


class LocalKeeper:
    """Runs tasks and keeps services on this machine, as root or as the one user that we are.

    Nothing of a caller's ever runs as root: commands begin with ``setpriv``, variables are set
    after it, and files in an owner's folder are reached without following links.
    """

    def __init__(self, home: pathlib.Path, settings: settings.Settings) -> None:
        self._home = home.resolve()
        self.users = accounts.Users(self._home)
        self.tree = Tree(self._home / "services")
        self.groups = bounds.Groups(accounts.group_of(self._home))
        self._registry = sandbox.Registry(
            variables=command.inherited(*sandbox.REGISTRY_VARIABLES), files=settings.registry_files
        )
        self._backups = settings.backups.resolve()
        self._reserve = settings.disk_reserve_bytes
        self._running: dict[str, asyncio.Task[int]] = {}
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def provide(self, owner: Owner) -> pathlib.Path:
        """See the port. Folders above the owner's are traversed by all and read by none."""
        folder = self._folder(owner)
        await self.users.ensure(owner, folder)
        for place in (folder.parent, self.log_folder("")):
            place.mkdir(parents=True, exist_ok=True, mode=0o711)
        _make(folder, self.users.ids(owner), mode=0o750)
        if owner.kind in _POSTGRES:
            sockets = pathlib.Path(owner.sockets(str(self._home)))
            sockets.parent.mkdir(exist_ok=True, mode=0o755)
            _make(sockets, self.users.ids(owner), mode=0o755)
        if owner.kind is Kind.CLUSTER:
            if not self._backups.is_dir():
                self._backups.mkdir(parents=True)
                self._backups.chmod(0o711)
            _make(self._backups / owner.slug, self.users.ids(owner), mode=0o700)
        return folder

    async def withdraw(self, owner: Owner) -> None:
        kept = [name for name in self.tree.names() if self.tree.about(name).owner == owner]
        if kept:
            raise errors.Conflict(
                f"{owner.slug} still has services: {', '.join(kept)}.", fix="Drop them first."
            )
        await asyncio.to_thread(fence.remove_tree, self._folder(owner))
        await self._forget_logs(owner)
        if owner.kind in _POSTGRES:
            await asyncio.to_thread(fence.remove_tree, pathlib.Path(owner.sockets(str(self._home))))
        if owner.kind is Kind.CLUSTER:
            await asyncio.to_thread(fence.remove_tree, self._backups / owner.slug)
        await self._end_left_behind(owner)
        await self.users.remove(owner)

    async def _end_left_behind(self, owner: Owner) -> None:
        """End what still runs as an owner's OS user: it could not be removed."""
        if not self.users.is_root:
            return
        with contextlib.suppress(errors.NotFound):
            uid = self.users.ids(owner)[0]
            for left in await asyncio.to_thread(leaks.of_user, uid):
                await processes.end(left, uid=uid, stop_signal="SIGTERM", grace=2)

    async def write(self, owner: Owner, path: str, data: bytes, *, mode: int = 0o600) -> None:
        ids = self.users.ids(owner)
        await asyncio.to_thread(fence.write, self._folder(owner), path, data, mode=mode, ids=ids)

    async def place(
        self, owner: Owner, path: str, source: pathlib.Path, *, unpack: bool = False
    ) -> None:
        artifact = self._artifact(source)
        to = unpacking.Target(self._folder(owner), path, self.users.ids(owner))
        put = unpacking.unpack if unpack else unpacking.copy
        await asyncio.to_thread(put, self._home / "artifacts", artifact, to)

    async def seal(self, owner: Owner, path: str) -> None:
        ids = (os.geteuid(), self.users.ids(owner)[1])
        await asyncio.to_thread(fence.seal, self._folder(owner), path, ids=ids)

    async def collect(self, owner: Owner, path: str, target: pathlib.Path) -> None:
        file = await self.opened(owner, path)
        await asyncio.to_thread(unpacking.drain, file, target)

    async def opened(self, owner: Owner, path: str) -> int:
        """Open a plain file of the owner's and return its descriptor."""
        known = frozenset({self.users.ids(owner)[0], os.geteuid()})
        return await asyncio.to_thread(fence.file_at, self._folder(owner), path, owners=known)

    async def remove(self, owner: Owner, path: str) -> None:
        await asyncio.to_thread(fence.remove, self._folder(owner), path)

    async def run(self, task: Task, *, on_line: OnLine | None = None) -> int:
        if predecessor := self._running.get(task.key):
            await _cancelled(predecessor)
        work = asyncio.create_task(self._perform(task, on_line))
        self._running[task.key] = work
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            await _cancelled(work)
            raise
        finally:
            if self._running.get(task.key) is work:
                del self._running[task.key]
        if work.cancelled():
            raise errors.Conflict(f"{task.key} was ended: the same task was started again.")
        return work.result()

    async def _perform(self, task: Task, on_line: OnLine | None) -> int:
        if not task.argv:
            raise errors.Invalid(f"{task.key} has no command.")
        folder = await self.provide(task.owner)
        view = sandbox.View(
            folder=folder,
            ids=self.users.ids(task.owner),
            tools=self._home / "tools",
            registry=self._registry,
        )
        with sandbox.descriptors() as files:
            async with self.groups.holding(task.sandbox) as group:
                wanted = command.Command(
                    argv=self._words(task, view, files, group),
                    env=command.base_environment(),
                    timeout=task.timeout,
                    stdin=task.stdin,
                    fds=tuple(files.all),
                )
                guard = self._guard(task, folder, group)
                meter = logs.Meter(task, on_line)
                return await guarding.run(task, wanted, meter, guard=guard, group=group)

    def _guard(
        self, task: Task, folder: pathlib.Path, group: bounds.Group | None
    ) -> guarding.Guard | None:
        if not task.sandbox:
            return None
        return guarding.Guard(
            folder=folder, sandbox=task.sandbox, reserve=self._reserve, grouped=bool(group)
        )

    def _words(
        self,
        task: Task,
        view: sandbox.View,
        files: sandbox.Descriptors,
        group: bounds.Group | None,
    ) -> tuple[str, ...]:
        limits = bounds.limits(task.sandbox, group) if task.sandbox else ()
        return (
            *(bounds.entering(group) if task.sandbox else ()),
            *self.users.becoming(task.owner),
            *sandbox.argv(task, view, files, limits),
        )

    async def keep(self, service: Service) -> None:
        definition.check(service)
        async with self._turn(service.name):
            plan = await self._plan(service)
            if self.tree.has(service.name) and not self.tree.holds(plan):
                await self.tree.drop(service.name)
            await self.tree.keep(plan)

    async def _plan(self, service: Service) -> definition.Plan:
        folder = await self.provide(service.owner)
        ids = self.users.ids(service.owner)
        log = self.log_folder(service.name)
        _make(log, ids, mode=0o700)
        return definition.Plan(
            service=service,
            becoming=self.users.becoming(service.owner, low_ports=service.bind_low_ports),
            logging_as=self.users.becoming(service.owner),
            ids=ids,
            cwd=folder.joinpath(*fence.parts_of(service.cwd)),
            log=log,
            end_group=service.owner.kind not in _POSTGRES,
        )

    async def drop(self, name: str) -> None:
        async with self._turn(name):
            await self.tree.drop(name)

    async def signal(self, name: str, signal: str) -> None:
        await self.tree.signal(name, signal)

    async def sweep(self) -> list[str]:
        """Put right what no supervisor does, and say what was: for the steward, every few seconds.

        A killed s6-svscan is started again. A process whose supervisor was killed is ended, so
        that its successor gets the port and the files; instances of apps are left serving until
        the worker has another in their place.
        """
        told = ["s6-svscan was down and was started again."] if await self.tree.watch() else []
        self.tree.quieten()
        await asyncio.to_thread(logs.prune, self.log_folder(""), self.tree.names())
        for name in self.tree.names():
            with contextlib.suppress(errors.NotFound):  # dropped meanwhile
                if self.tree.about(name).owner.kind is not Kind.SERVER:
                    ended = await self.tree.end_orphans(name)
                    told += [f"Process {one.pid} of {name}, an orphan, was ended." for one in ended]
                else:
                    left = await self.tree.end_leaks(name)
                    held = f"held the port of {name}, which could not start: it was ended."
                    told += [f"Process {one.pid} {held}" for one in left]
        return told

    async def services(self, prefix: str = "") -> Sequence[Observed]:
        seen = []
        for name in self.tree.names():
            if name.startswith(prefix):
                with contextlib.suppress(errors.NotFound):  # dropped meanwhile
                    seen.append(await self.tree.observe(name))
        return seen

    async def log_lines(self, name: str, *, last: int = 200) -> Sequence[str]:
        if not definition.NAME.fullmatch(name):
            raise errors.Invalid(f"{name!r} is not a service's name.")
        return await asyncio.to_thread(logs.tail, self.log_folder(name), last)

    def _turn(self, name: str) -> asyncio.Lock:
        """What is done to one service is done one after the other."""
        return self._turns.setdefault(name, asyncio.Lock())

    async def _forget_logs(self, owner: Owner) -> None:
        """Remove the owner's logs with the owner, whose number the next user may be given."""
        if not self.users.is_root:
            return
        with contextlib.suppress(errors.NotFound):
            uid = self.users.ids(owner)[0]
            for log in self.log_folder("").iterdir():
                if log.stat().st_uid == uid:
                    await asyncio.to_thread(fence.remove_tree, log)

    def _folder(self, owner: Owner) -> pathlib.Path:
        if not all(_NAME.fullmatch(part) for part in (owner.app or "x", owner.environment or "x")):
            raise errors.Invalid(f"{owner.slug!r} is not an owner's name.")
        return self._home / "owners" / owner.slug

    def log_folder(self, name: str) -> pathlib.Path:
        """Return where a service's log is."""
        return self._home / "logs" / "services" / name

    def _artifact(self, source: pathlib.Path) -> str:
        try:
            return str(source.relative_to(self._home / "artifacts"))
        except ValueError as error:
            raise errors.Refused(f"{source.name} is not an artifact of this Shipway.") from error


def _make(folder: pathlib.Path, ids: fence.Ids, *, mode: int) -> None:
    """Make a folder that belongs to an owner. Its parent is ours, so nobody can come between."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if (found.st_uid, found.st_gid) != ids:
        os.chown(folder, *ids)
    if found.st_mode & 0o7777 != mode:
        folder.chmod(mode)


async def _cancelled(work: asyncio.Task[int]) -> None:
    work.cancel()
    await asyncio.wait({work})
