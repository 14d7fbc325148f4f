"""The peer of a switch: the same releases as plain processes on the ports that the edge knows.

What a script would do without Shipway: stop every old instance, then start the new ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Mapping, Sequence

import psutil
from demo.stage import Stage

from bench import stand
from shipway import wiring
from shipway.kit import command

DRAIN_SECONDS = 5.0
"""What tiny's shipway.toml says: afterwards an instance is killed."""


class Instances:
    """Processes of one release at a time, on fixed ports."""

    def __init__(self, recipes: Mapping[str, command.Command], ports: Sequence[int]) -> None:
        self._recipes = recipes
        self._ports = ports
        self._running: list[contextlib.AsyncExitStack] = []

    async def start(self, version: str) -> None:
        recipe = self._recipes[version]
        for port in self._ports:
            stack = contextlib.AsyncExitStack()
            env = {**recipe.env, "PORT": str(port)}
            made = command.Command(argv=recipe.argv, env=env, cwd=recipe.cwd, ids=recipe.ids)
            running = command.running(made, on_line=lambda _: None, grace=DRAIN_SECONDS)
            await stack.enter_async_context(running)
            self._running.append(stack)

    async def stop(self) -> None:
        """Ask all to end at once; kill what is left after the time to drain."""
        leaving, self._running = self._running, []
        await asyncio.gather(*(one.aclose() for one in leaving))


@contextlib.asynccontextmanager
async def instances(stage: Stage) -> AsyncIterator[Instances]:
    """Take the place of production's live instances. They stay down afterwards."""
    async with stage.api() as api:
        seen = await api.environment(stage.app, "production")
    assert seen.live
    ports = {one.address.rpartition(":")[2]: one.release for one in seen.instances}
    keeper = wiring.keeper(stand.settings_of(stage))
    prefix = f"server.{stage.app}.production."
    services = {one.name.rpartition(".")[2]: one for one in await keeper.services(prefix)}
    recipes = {
        version.removeprefix("v"): _recipe(services[port].pid) for port, version in ports.items()
    }
    live = [port for port, version in ports.items() if version == seen.live.version]
    for port in live:
        await _put_down(stage, services[port].name)
    made = Instances(recipes, [int(port) for port in live])
    try:
        yield made
    finally:
        await made.stop()


def _recipe(pid: int) -> command.Command:
    """Return the command by which an instance was started, with its user and its variables."""
    process = psutil.Process(pid)
    return command.Command(
        argv=tuple(process.cmdline()),
        env=process.environ(),
        cwd=pathlib.Path(process.cwd()),
        ids=(process.uids().real, process.gids().real),
    )


async def _put_down(stage: Stage, service: str) -> None:
    folder = stage.shipway_home / "services" / service
    await command.run(
        command.Command(
            argv=("s6-svc", "-wD", "-T", "30000", "-d", str(folder)), env=command.base_environment()
        )
    )
