"""The API in a process of its own, for tests that stop or kill it: URL, HOME and PORT are given.

With ``stuck`` no run starts: as if the process came to its end just after a push has landed.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys
from typing import Any

from tests.fakes.platform import parts

from shipway.api import app, serving
from shipway.api.pushes import SOCKET
from shipway.kit import db


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


async def main(url: str, home: str, port: str, *stuck: str) -> None:
    database = db.Database(url, name="api")
    await database.open()
    made = parts(database, pathlib.Path(home))
    if stuck:
        setattr(made.platform.requests, "pushes_arrived", never)  # noqa: B010 -- a double for one deed
    listeners = [serving.tcp(int(port)), serving.unix(made.platform.settings.run / SOCKET)]
    await serving.server(app.create(made.platform)).serve(sockets=listeners)
    await database.close()
    sys.stdout.write("closed\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
