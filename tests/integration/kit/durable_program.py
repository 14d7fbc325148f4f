"""A worker for one workflow, in a process that may kill itself: ``durable_program.py URL LOG STEP MOMENT``.

LOG gets a line for each time that a body runs to its end; the result is printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from shipway.kit import durable, errors

QUEUES = (durable.Queue(name="runs"), durable.Queue(name="lanes", one_per_lane=True))


@dataclass(frozen=True)
class Thing:
    name: str
    sizes: tuple[int, ...] = ()


class Steps:
    def __init__(self, log: pathlib.Path) -> None:
        self._log = log

    @durable.step
    async def make(self, thing: Thing) -> Thing:
        await asyncio.sleep(0)
        self._note(f"make {thing.name}")
        return Thing(thing.name, (1, 2))

    @durable.step
    async def refuse(self) -> None:
        self._note("refuse")
        raise errors.Refused("It is late", "it is dark", fix="Wait until morning.")

    @durable.step
    async def stumble(self) -> None:
        self._note("stumble")
        raise ZeroDivisionError("a bug")

    def _note(self, line: str) -> None:
        with self._log.open("a") as log:
            log.write(line + "\n")


async def caught(fails: Callable[[], Awaitable[object]]) -> Any:
    """Return what a step that fails says."""
    try:
        await fails()
    except errors.Refused as error:
        return [*error.reasons, error.fix]
    except errors.Failed as error:
        return error.what


async def main() -> None:
    url, log, step, moment = sys.argv[1:]
    do = Steps(pathlib.Path(log))

    async def parent(request: dict[str, Any]) -> dict[str, Any]:
        things = await asyncio.gather(*(do.make(Thing(name)) for name in request["names"]))
        heard: list[Any] = [asdict(thing) for thing in things]
        heard += [await caught(do.refuse), await caught(do.stumble)]
        start = durable.Start(
            workflow="child", id="the-child", request={"says": "hello"}, queue="lanes", lane="a"
        )
        heard.append(await durable.child(start))
        broken = durable.Start(workflow="broken", id="the-broken", request={}, queue="runs")
        heard.append(await caught(lambda: durable.child(broken)))
        heard.append(await durable.receive("word", timeout=30))
        heard.append(await durable.receive("word", timeout=0.2))
        return {"heard": heard}

    async def child(request: dict[str, Any]) -> dict[str, Any]:
        return {"said": request["says"]}

    async def broken(_: dict[str, Any]) -> dict[str, Any]:
        raise errors.Unavailable("The edge does not answer.")

    def die(point: durable.Point) -> None:
        if (point.step, point.moment) == (step, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    durable.on_point.append(die)
    engine = durable.Engine(url, queues=QUEUES)
    engine.register("parent", parent)
    engine.register("child", child)
    engine.register("broken", broken)
    async with engine.running():
        remote = durable.Remote(url)
        start = durable.Start(
            workflow="parent", id="the-parent", request={"names": ["a", "b"]}, queue="runs"
        )
        await remote.start(start)
        await remote.start(start)
        for _ in range(2):
            await remote.send("the-parent", "word", {"yes": True}, key="one")
        print(json.dumps(await durable.result("the-parent")), flush=True)
        await remote.close()


if __name__ == "__main__":
    asyncio.run(main())
