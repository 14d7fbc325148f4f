"""``python -m shipway.api``: the API, the git remote and the console, until told to stop.

The one place that knows of both the API and the console.
"""

from __future__ import annotations

import asyncio
import contextlib

from shipway import wiring
from shipway.api import app, serving
from shipway.api.pushes import SOCKET
from shipway.console import app as console
from shipway.kit import log, settings


async def main() -> None:
    log.configure()
    given = settings.load()
    async with wiring.api(given) as platform:
        application = app.create(platform)
        console.install(application, platform)
        path = given.run / SOCKET
        try:
            await serving.server(application).serve(
                sockets=[serving.tcp(given.api_port), serving.unix(path)]
            )
        finally:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
