"""Serving the API by uvicorn, on loopback and on a Unix socket."""

from __future__ import annotations

import pathlib
import socket
from types import FrameType

import fastapi
import uvicorn

GRACE = 10
"""Seconds that a stream has to end after the signal to stop."""


class Server(uvicorn.Server):
    """Ends the streams that would keep a stopping server alive."""

    def __init__(self, config: uvicorn.Config, application: fastapi.FastAPI) -> None:
        super().__init__(config)
        self._application = application

    def stop(self) -> None:
        """End the streams, then everything else."""
        self._application.state.notices.close()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Stop in good order; uvicorn would raise the signal again at the end, and so end the
        process before the database is closed."""
        self.stop()


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
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o660)
    return listener
