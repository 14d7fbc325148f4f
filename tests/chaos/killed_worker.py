"""A worker that kills itself, once at each point that it comes to: ``killed_worker.py FOLDER MOMENT…``.

A file in FOLDER for each kill remembers that this point has been seen to.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import signal
import sys

from shipway import worker
from shipway.kit import durable


def main() -> None:
    folder, moments = pathlib.Path(sys.argv[1]), frozenset(sys.argv[2:])

    def kill_once(point: durable.Point) -> None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", f"{point.workflow}.{point.step}.{point.moment}")
        if point.moment in moments and not (folder / name).exists():
            (folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    durable.on_point.append(kill_once)
    asyncio.run(worker.main())


if __name__ == "__main__":
    main()
