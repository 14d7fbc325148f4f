"""The edge on Envoy: how a new table is put in force without losing a request."""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import Sequence

from shipway.edge import ca, model
from shipway.edge.drivers.envoy import (
    admin,
    bootstrap,
    clusters,
    files,
    listeners,
    observing,
    routes,
)
from shipway.edge.drivers.envoy.files import CDS, LDS
from shipway.edge.model import PoolHealth, Table
from shipway.edge.port import Private
from shipway.kit import errors
from shipway.kit.settings import Settings

LIVE_SECONDS = 15.0
"""How long a starting Envoy may take until it answers."""

TAKEN_SECONDS = 15.0
"""How long it may take until files are in force."""

HEALTHY_SECONDS = 15.0
"""How long a pool may take to become healthy when a host is about to turn to it."""

QUIET_SECONDS = 10.0
"""How long requests under way may hold up the removal of their pool. Those that take longer
still end in peace: Envoy lets them."""

DRAIN_SECONDS = 60
"""How long connections to a host that is gone, or whose certificate changed, may stay."""


class Envoy:
    """Renders tables into files for one Envoy, and asks its admin socket what became of them.

    ``folder`` is written by the worker and read by Envoy's user: everything in it takes the
    folder's own group. Keys go to ``private``.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        authority: ca.Authority,
        private: Private,
        settings: Settings,
    ) -> None:
        self.folder = folder
        self.socket = folder / "run" / "admin.sock"
        self._authority = authority
        self._private = private
        self._files = files.Files(folder)
        self._places = listeners.Places(
            folder=folder,
            address=settings.edge_address,
            http_port=settings.http_port,
            https_port=settings.https_port,
        )
        self._one_at_a_time = asyncio.Lock()

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that is to be kept running, once `prepare` has been called."""
        return (
            str(self.folder / self._program),
            *("--config-path", str(self.folder / "bootstrap.json")),
            *("--drain-time-s", str(DRAIN_SECONDS)),
            *("--log-level", "warning"),
            "--disable-hot-restart",
            # What it does not understand it shall refuse, and not leave out.
            "--reject-unknown-dynamic-fields",
        )

    @property
    def low_ports(self) -> bool:
        """Whether that command must be allowed to listen below 1024."""
        return min(self._places.http_port, self._places.https_port) < 1024

    async def prepare(self) -> None:
        """Make what Envoy needs to start. Leaves a table that is there alone; may be repeated."""
        await asyncio.to_thread(self._prepare)

    async def apply(self, table: Table) -> None:
        model.check(table)
        async with self._one_at_a_time, admin.connect(self.socket) as envoy:
            await envoy.wait_live(LIVE_SECONDS)
            before = self._read()
            new = files.rendered(table, self._places, await self._certificates(table, before[LDS]))
            try:
                await self._add(envoy, before, new)
                await self._take(envoy, {**new, CDS: self._read()[CDS]})
            except errors.Failed:
                await self._put_back(envoy, before)
                raise
            await self._wait_unused(envoy, before, new)
            await self._take(envoy, new)
        for path in files.certificates(before[LDS]) - files.certificates(new[LDS]):
            await self._private.remove(pathlib.PurePath(path).name)

    async def pools(self) -> Sequence[PoolHealth]:
        async with admin.connect(self.socket) as envoy:
            await envoy.wait_live(LIVE_SECONDS)
            return await observing.pools(envoy)

    async def wait_healthy(self, pool: str, *, endpoints: int, timeout: float) -> None:
        async with admin.connect(self.socket) as envoy:
            await envoy.wait_live(LIVE_SECONDS)
            await observing.wait_healthy(envoy, pool, endpoints=endpoints, timeout=timeout)

    async def wait_quiet(self, pool: str, *, timeout: float) -> bool:
        async with admin.connect(self.socket) as envoy:
            await envoy.wait_live(LIVE_SECONDS)
            return await observing.wait_quiet(envoy, pool, timeout=timeout)

    async def rotate_access_log(self, *, keep_bytes: int) -> None:
        """Set the access log aside as ``access.log.1`` once it is larger than so many bytes."""
        log = self._places.access_log
        if not log.exists() or log.stat().st_size <= keep_bytes:
            return
        log.replace(log.with_name("access.log.1"))
        async with admin.connect(self.socket) as envoy:
            await envoy.reopen_logs()

    @property
    def _program(self) -> str:
        return f"bin/envoy-{bootstrap.program()[1]}"

    def _prepare(self) -> None:
        empty = files.rendered(Table(), self._places, {})
        self._files.make_folders((*empty, self._program))
        # A copy of our own: an upgrade of Shipway's Python environment must not take the program
        # away from under Envoy, and Envoy's user may not be able to look into that environment.
        self._files.place(bootstrap.program()[0], self._program)
        start = json.dumps(bootstrap.bootstrap(self.folder, self.socket), indent=1)
        if self._files.read("bootstrap.json") != start:
            self._files.write("bootstrap.json", start)
        for path, text in empty.items():
            if self._files.read(path) is None:
                self._files.write(path, text)

    def _read(self) -> dict[str, str]:
        """The files of the table in force, in the order of `files.rendered`."""
        empty = files.rendered(Table(), self._places, {})
        return {path: self._files.read(path) or text for path, text in empty.items()}

    async def _certificates(self, table: Table, listener_file: str) -> dict[str, str]:
        """Have a PEM file in the private folder for each TLS host, and return their paths."""
        hosts = [route.host for route in table.routes if route.tls]
        folder = await self._private.folder() if hosts else pathlib.Path()
        there = files.certificates(listener_file)
        found = {}
        for host in (*hosts, listeners.UNKNOWN_HOST) if hosts else ():
            pair = await self._authority.certificate((host,))
            name = f"tls.{host}.{pair.version}.pem"
            found[host] = str(folder / name)
            if found[host] not in there:
                await self._private.write(name, pair.key.read_bytes() + pair.chain.read_bytes())
        return found

    async def _add(self, envoy: admin.Admin, before: dict[str, str], new: dict[str, str]) -> None:
        """Add pools and endpoints, and wait until what hosts are about to turn to is healthy."""
        old, wanted = files.resources(before[CDS]), files.resources(new[CDS])
        was_healthy = await observing.healthy(envoy)
        await self._take(envoy, {CDS: files.file_of(clusters.union(old, wanted))})
        turning = routes.turning(_routes(before), _routes(new), clusters.changed(old, wanted))
        needed = {
            cluster["name"]: clusters.endpoints(cluster)
            for cluster in wanted
            # Where nothing was healthy before there is nothing to lose, and no reason to wait.
            if any(was_healthy.get(pool) for pool in turning.get(cluster["name"], ()))
        }
        await observing.wait_any_healthy(envoy, needed, timeout=HEALTHY_SECONDS)

    async def _put_back(self, envoy: admin.Admin, before: dict[str, str]) -> None:
        """Have the old table again: routes leave the new pools before these go."""
        await self._take(envoy, {path: text for path, text in before.items() if path != CDS})
        await self._take(envoy, before)

    async def _take(self, envoy: admin.Admin, wanted: dict[str, str]) -> None:
        """Write what differs and return once Envoy has all of it in force."""
        counted = await envoy.subscriptions()
        for path, text in wanted.items():
            if self._files.read(path) != text:
                await asyncio.to_thread(self._files.write, path, text)
        listener_file = self._files.read(LDS) or ""
        versions = {
            files.statistics_of(path): files.version(text)
            for path, text in wanted.items()
            if files.watched(path, listener_file)
        }
        await envoy.wait_taken(versions, counted, timeout=TAKEN_SECONDS)

    async def _wait_unused(
        self, envoy: admin.Admin, before: dict[str, str], new: dict[str, str]
    ) -> None:
        old, wanted = (
            {cluster["name"] for cluster in files.resources(text[CDS])} for text in (before, new)
        )
        waiting = (
            observing.wait_quiet(envoy, pool, timeout=QUIET_SECONDS) for pool in old - wanted
        )
        await asyncio.gather(*waiting)


def _routes(all_files: dict[str, str]) -> dict[str, set[str]]:
    """The pools of each host."""
    configurations = [
        resource
        for path, text in all_files.items()
        if path not in {CDS, LDS}
        for resource in files.resources(text)
    ]
    return routes.pools_by_host(configurations)
