"""Many real apps on one Shipway: the smallest server there is, in staging and in production."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Sequence

from demo.stage import Stage

AT_ONCE = 2
"""So many runs go on at a time anyway."""

FILES = {
    "shipway.toml": """\
name = "{name}"

[server]
kind = "python"
folder = "server"
entry = "small:main"

[environments.staging]
domain = "staging.{name}.localhost"

[environments.production]
domain = "{name}.localhost"
""",
    "server/pyproject.toml": """\
[project]
name = "small"
version = "1"
requires-python = ">=3.11"

[tool.uv]
package = false
""",
    "server/uv.lock": """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "small"
version = "1"
source = {{ virtual = "." }}
""",
    "server/small.py": """\
import http.server
import os
import signal
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"{{}}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    address = os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])
    server = http.server.ThreadingHTTPServer(address, Handler)
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    server.serve_forever()
""",
}


class Member(Stage):
    """One more app on a stage that stands."""

    @property
    def checkout(self) -> pathlib.Path:
        return self.home / "crowd" / self.app


async def gather(stage: Stage, names: Sequence[str]) -> None:
    """Push an app of each name, and bring it to production."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with turns:
            source = await asyncio.to_thread(_write, stage.home / "sources" / name, name)
            member = Member(stage.home, name, source, stage.ports, stage.quiet)
            await member.create_app()
            await member.deliver()
            await member.promote()

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))


def _write(folder: pathlib.Path, name: str) -> pathlib.Path:
    for path, text in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=name))
    return folder
