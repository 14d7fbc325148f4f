"""A worker that one of its workflows kills: ``deadly_program.py URL``.

It lives on when that workflow is given up, and prints what was.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import Any

from shipway.kit import durable


class Steps:
    @durable.step
    async def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    url = sys.argv[1]

    async def deadly(_: dict[str, Any]) -> dict[str, Any]:
        await Steps().kill()
        return {}

    engine = durable.Engine(url, queues=(durable.Queue(name="lanes", one_per_lane=True),))
    engine.register("deadly", deadly, recoveries=1)
    async with engine.running():
        remote = durable.Remote(url)
        await remote.start(
            durable.Start(
                workflow="deadly", id="the-deadly", request={"of": 1}, queue="lanes", lane="a"
            )
        )
        await remote.close()
        async with asyncio.timeout(60):
            while not (given_up := await engine.abandoned()):  # noqa: ASYNC110 -- it does not tell
                await asyncio.sleep(0.1)
        print(json.dumps([asdict(one) for one in given_up]))


if __name__ == "__main__":
    asyncio.run(main())
