"""Instances of apps: unpacked read-only, started on a port of their own, asked, drained, mended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import pwd
import time
from collections.abc import Sequence

import httpx2

from shipway.kit import db, errors, http, settings
from shipway.runtime import listening, unpacked
from shipway.runtime.model import (
    Finding,
    Instance,
    Kind,
    Observed,
    Owner,
    Place,
    Service,
    Start,
    Task,
    findings,
)
from shipway.runtime.port import Keeper
from shipway.runtime.records import Records
from shipway.runtime.unpacked import Prepared, Release

__all__ = ["Instance", "Instances", "Prepared", "Start"]

CRASHES_THAT_TELL = 3
"""An instance that has died so often before its first answer will not come up."""
_ASK_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_TOLD_LINES = 8
_ANSWERS = 3
"""So many in a row make an instance ready."""

_LATE = "If it needs longer to start, raise `ready_seconds` in [server] of shipway.toml."


class Instances:
    """Starts, asks and stops the instances of all apps."""

    def __init__(self, keeper: Keeper, database: db.Database, settings: settings.Settings) -> None:
        self._keeper = keeper
        self._records = Records(database, settings.instance_ports)
        self._home = str(settings.home.resolve())
        self._path = f"{settings.home.resolve() / 'tools' / 'bin'}:/usr/local/bin:/usr/bin:/bin"

    async def prepare(
        self,
        app: str,
        environment: str,
        release: str,
        *,
        kind: str,
        server: pathlib.Path,
        database_files: pathlib.Path | None,
        folder: str = ".",
        node: pathlib.Path | None = None,
        database_folder: str = ".",
    ) -> Prepared:
        """Put a release's files in place, read-only. May be repeated.

        A Python server is unpacked by its own file, run once with an entry point that does nothing.
        ``folder`` is the server's in the repository, ``node`` the release's own Node, and
        ``database_folder`` is where in the database files their
        commands run.
        """
        owner = Owner(Kind.SERVER, app, environment)
        place = Release(name=release, kind=kind, cwd=folder)
        if not await self._is_there(owner, place.done):
            await self._keeper.provide(owner)
            await self._keeper.remove(owner, place.folder)
            await self._keeper.place(owner, place.server, server, unpack=kind == "node")
            if node:
                await self._keeper.place(owner, place.node, node, unpack=True)
            if database_files:
                await self._keeper.place(owner, place.database, database_files, unpack=True)
            if kind == "python":
                await self._unpack_python(owner, place)
            if kind == "node":
                await self._make_workplace(owner, place)
            await self._keeper.write(owner, place.done, b"")
            await self._keeper.seal(owner, place.folder)
        return unpacked.prepared(place, path=self._path, below=database_folder)

    async def _is_there(self, owner: Owner, path: str) -> bool:
        await self._keeper.provide(owner)
        looking = Task(owner=owner, argv=("test", "-e", path), key=f"look.{owner.slug}.{path}")
        return await self._keeper.run(looking) == 0

    async def _unpack_python(self, owner: Owner, place: Release) -> None:
        unpack = {"SHIV_ROOT": f"{{owner}}/{place.packages}", "SHIV_ENTRY_POINT": "gc:enable"}
        steps: Sequence[tuple[tuple[str, ...], dict[str, str]]] = (
            ((*unpacked.PYTHON, place.server), unpack),
            (("find", place.packages, "-name", "site-packages", "-prune", "-exec",
              "ln", "-sT", "{owner}/{}", place.site, ";"), {}),
            # Read-only packages cannot be compiled when they are first imported.
            ((*unpacked.PYTHON, "-m", "compileall", "-q", "--invalidation-mode",
              "unchecked-hash", place.packages), {}),
            (("mkdir", "-p", place.programs), {}),
            (("ln", "-s", unpacked.PYTHON[0], f"{place.programs}/python"), {}),
        )  # fmt: skip
        for words, env in steps:
            await self._do(owner, place, words, env)

    async def _make_workplace(self, owner: Owner, place: Release) -> None:
        await self._keeper.remove(owner, place.workplace)
        link = ("-exec", "ln", "-s", "-t", place.workplace, "{owner}/{}", ";")
        found = ("find", place.sources, "-mindepth", "1", "-maxdepth", "1", *link)
        for words in (("mkdir", "-p", place.workplace), found):
            await self._do(owner, place, words, {})

    async def _do(
        self, owner: Owner, place: Release, words: tuple[str, ...], env: dict[str, str]
    ) -> None:
        said: list[str] = []
        key = f"unpack.{owner.slug}.{place.name}"
        task = Task(owner=owner, argv=words, key=key, env=env, timeout=300)
        status = await self._keeper.run(task, on_line=said.append)
        if status and "compileall" not in words:  # a file for another Python need not compile
            raise errors.Failed(f"{place.name} cannot be unpacked: {' '.join(said[-3:])}")

    async def start(self, start: Start, *, beside: Instance | None = None) -> Instance:
        """Start an instance, or find it started: one for each deployment and index.

        With ``beside`` (an orphan) its successor is started on another port, for the same place.
        Raises `errors.Unavailable` when no port is free.
        """
        instance = await self._records.place(start.place, beside=beside, is_free=listening.is_free)
        release = Release(name=start.release, kind=start.kind, main=start.main, cwd=start.cwd)
        folder = await self._keeper.provide(start.place.owner)
        env = unpacked.environment(start, release, folder, self._path)
        await self._keeper.keep(
            Service(
                owner=start.place.owner,
                name=instance.service,
                argv=unpacked.argv(start, release, folder, instance.address.port),
                env=env | {start.port_variable: str(instance.address.port)},
                cwd=release.workplace,
                grace=start.drain_seconds,
                secrets=start.secrets,
            )
        )
        return instance

    async def wait_ready(
        self,
        instance: Instance,
        *,
        health: str,
        timeout: float,
        crashes: int = CRASHES_THAT_TELL,
    ) -> None:
        """Return when the instance itself answers 200, a few times in a row: some die of their
        first answer. Raises `errors.Failed` when it does not in time, or has died so many times;
        with the end of its log."""
        until = time.monotonic() + timeout
        async with http.client(
            base_url=f"http://{instance.address}", timeout=_ASK_SECONDS
        ) as client:
            answer, in_a_row = "nothing", 0
            while time.monotonic() < until:
                answer = await _ask(client, health)
                well = answer == "200" and self._is_its_own(instance)
                in_a_row = in_a_row + 1 if well else 0
                if in_a_row == _ANSWERS:
                    return
                await self._give_up_on_crashes(instance, crashes)
                await asyncio.sleep(_PAUSE_SECONDS)
        raise await self._not_ready(
            instance,
            f"did not answer {health} with 200 in {timeout:g} seconds, but with {answer}",
            fix=_fix(answer, health),
        )

    async def _give_up_on_crashes(self, instance: Instance, most: int) -> None:
        observed = await self._observe(instance)
        if observed is None:
            raise await self._not_ready(instance, "is not kept any more")
        if observed.restarts >= most:
            raise await self._not_ready(instance, f"died {observed.restarts} times at its start")

    async def _not_ready(self, instance: Instance, what: str, *, fix: str = "") -> errors.Failed:
        lines: Sequence[str] = ()
        with contextlib.suppress(errors.NotFound):
            lines = await self._keeper.log_lines(instance.service, last=_TOLD_LINES)
        # Without the time in front of each line.
        said = " | ".join(line.split("  ", 1)[-1] for line in lines) or "(it said nothing)"
        return errors.Failed(f"{instance.place} {what}. Its log ends: {said}", fix=fix)

    async def stop(self, instance: Instance) -> None:
        """Let an instance finish its requests, stop it, and free its port. May be repeated."""
        await self._records.leave(instance)
        await self._keeper.drop(instance.service)
        await self._records.remove(instance)

    async def discard(self, app: str, environment: str, release: str) -> None:
        """Remove the unpacked files of a release that runs no more. May be repeated."""
        owner = Owner(Kind.SERVER, app, environment)
        place = Release(name=release, kind="node")
        for folder in (place.folder, place.workplace):
            await self._keeper.remove(owner, folder)

    async def running(self, app: str, environment: str) -> list[Instance]:
        """Return the instances that there should be, oldest first."""
        return await self._records.running(app, environment)

    async def crashes(self, instance: Instance) -> int:
        """Return how often the instance has died and was started again."""
        observed = await self._observe(instance)
        return observed.restarts if observed else 0

    async def alive(self, instance: Instance) -> bool:
        """Say whether the instance is kept and listens."""
        return await self._observe(instance) is not None and self._is_its_own(instance)

    async def everywhere(self) -> list[tuple[Place, bool]]:
        """Return the place of every instance that there should be, and whether it listens.

        The keeper is not asked: it would look at each of what may be hundreds of services.
        """
        users = listening.users()
        return [
            (
                instance.place,
                self._uid(instance.place.owner) in users.get(instance.address.port, ()),
            )
            for instance, leaving in await self._records.all()
            if not leaving
        ]

    async def reconcile(self) -> tuple[Finding, ...]:
        """Finish stops that were interrupted, and return what needs mending.

        An orphan's traffic must move first: start its successor with ``beside``, wait until that
        is ready, tell the edge, then `stop` the orphan. What is gone is started again by `start`.
        """
        known = await self._records.all()
        for instance, leaving in known:
            if leaving:
                await self.stop(instance)
        staying = [instance for instance, leaving in known if not leaving]
        return findings(staying, await self._keeper.services("server."))

    def _is_its_own(self, instance: Instance) -> bool:
        """Say whether the one who listens is its user: a stranger may have come to the port first."""
        # Asked of the system: the API looks too, and may not have the keeper provide anything.
        return self._uid(instance.place.owner) in listening.users().get(instance.address.port, ())

    def _uid(self, owner: Owner) -> int:
        """The OS user of an owner: our own where Shipway runs as one user."""
        try:
            return pwd.getpwnam(owner.user(self._home)).pw_uid
        except KeyError:
            return os.geteuid()

    async def _observe(self, instance: Instance) -> Observed | None:
        observed = await self._keeper.services(instance.service)
        return next((one for one in observed if one.name == instance.service), None)


async def _ask(client: httpx2.AsyncClient, health: str) -> str:
    """Return the status, or what stood in its way, in a word or two."""
    try:
        answer = await client.get(health)
    except httpx2.HTTPError as error:
        return f"nothing ({type(error).__name__})"
    if answer.status_code == 200:
        return "200"
    return f"{answer.status_code}: {' '.join(answer.text.split())[:300]}"


def _fix(answer: str, health: str) -> str:
    """Say what mends a server that runs and does not answer as it should."""
    if answer.startswith("nothing"):
        return (
            "The server must listen on the port in PORT (or the variable that `port` in [server] of "
            f"shipway.toml names), on HOST or on every address. {_LATE}"
        )
    if answer.startswith(("3", "4")):
        return f"If {health} is not the path that says how it is, set `health` in [server]."
    return ""
