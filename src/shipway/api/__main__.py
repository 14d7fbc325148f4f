"""``python -m shipway.api``: the API and the git remote, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
from types import FrameType

import fastapi
import uvicorn

from shipway import wiring
from shipway.api import app as api
from shipway.api.pushes import SOCKET
from shipway.kit import log, settings

GRACE = 10
"""Seconds that a stream has to end after the signal to stop."""


class Server(uvicorn.Server):
    """Ends the streams that would keep a stopping server alive."""

    def __init__(self, config: uvicorn.Config, application: fastapi.FastAPI) -> None:
        super().__init__(config)
        self._application = application

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._application.state.notices.close()
        super().handle_exit(sig, frame)


def server(application: fastapi.FastAPI) -> Server:
    """Return a server of the application; it listens on the sockets that `serve` is given."""
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        # A connection from the edge, on loopback, tells the scheme that people use.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
    )
    return Server(config, application)


def tcp(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def unix(path: pathlib.Path) -> socket.socket:
    """Listen on a Unix socket for this user and group, in place of one that was left."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o660)
    return listener


async def main() -> None:
    log.configure()
    given = settings.load()
    async with wiring.api(given) as platform:
        application = api.create(platform)
        path = given.run / SOCKET
        try:
            await server(application).serve(sockets=[tcp(given.api_port), unix(path)])
        finally:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
