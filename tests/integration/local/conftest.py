"""A clone of an app, and `shipway dev` as a process of its own in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import psutil
import pytest
from tests.fakes import toolbox

from shipway.kit import command

ROOT = pathlib.Path(__file__).parents[3]
MARK = "SHIPWAY_TEST_MARK"


@pytest.fixture(scope="session")
async def uv() -> pathlib.Path:
    """The folder with the program `uv`, installed once for all test sessions on this machine."""
    return await toolbox.installed() / "tools" / "bin"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Dev:
    """`shipway dev` in a clone. ``seen`` is all that it has said."""

    def __init__(self, clone: pathlib.Path, path: str) -> None:
        self.clone = clone
        self.port, self.client_port = free_port(), free_port()
        self.seen: list[str] = []
        self.mark = uuid.uuid4().hex
        self.more: dict[str, str] = {}
        self._path = path
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self, *options: str) -> None:
        ports = ("--port", str(self.port), "--client-port", str(self.client_port))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "shipway.cli.main", "dev", *ports, *options,
            cwd=self.clone,
            env={**os.environ, "PATH": self._path, MARK: self.mark, "CI": "1", **self.more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._hearing = asyncio.create_task(self._hear(self._process))

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process
        return self._process

    @property
    def text(self) -> str:
        return "\n".join(self.seen)

    async def says(self, words: str, *, timeout: float = 150) -> None:
        """Wait until a line with these words has been said."""
        async with asyncio.timeout(timeout):
            while not any(words in line for line in self.seen):
                assert self._hearing, "it has not begun"
                assert not self._hearing.done(), self.text
                self._changed.clear()
                await self._changed.wait()

    async def asks(self, path: str = "/health", *, port: int = 0) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
            return await http.get(f"http://127.0.0.1:{port or self.port}{path}")

    async def becomes(self, path: str, fits: Callable[[str], bool], *, timeout: float = 90) -> None:
        """Wait until the server's answer at a path fits."""
        async with asyncio.timeout(timeout):
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    if fits((await self.asks(path)).text):
                        return
                await asyncio.sleep(0.1)

    async def ends(self, *, by: signal.Signals | None = None, timeout: float = 90) -> int:
        """Send a signal as Ctrl-C does, if any, and return the exit code."""
        if by:
            self.process.send_signal(by)
        status = await asyncio.wait_for(self.process.wait(), timeout)
        assert self._hearing
        await self._hearing
        return status

    def left(self) -> list[str]:
        """The command lines of every process that has come from it and lives."""
        return [" ".join(one.cmdline()) for one in self._ours()]

    def _ours(self) -> Iterator[psutil.Process]:
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                marked = one.environ().get(MARK) == self.mark
                database = any(str(self.clone) in word for word in one.cmdline())
                if (marked or database) and one.status() != psutil.STATUS_ZOMBIE:
                    yield one

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            self.seen.append(line.decode().rstrip("\n"))
            self._changed.set()
        asyncio.get_running_loop().call_soon(self._changed.set)  # when this has ended

    def clear_up(self) -> None:
        for one in list(self._ours()):
            with contextlib.suppress(psutil.Error):
                one.kill()


@pytest.fixture
async def begin(uv: pathlib.Path) -> AsyncIterator[Callable[[pathlib.Path], Dev]]:
    """Copy an app into a folder that every user can enter, as a clean clone would be."""
    made: list[Dev] = []

    def copy(app: pathlib.Path) -> Dev:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="shipway-clone-", dir="/var/tmp"))
        folder.chmod(0o755)
        ignored = shutil.ignore_patterns(
            "node_modules", ".venv", ".expo", "dist", ".shipway", ".*_cache"
        )
        shutil.copytree(app, folder / "app", ignore=ignored)
        base = command.base_environment()["PATH"]
        made.append(Dev(folder / "app", f"{uv}:{base}"))
        return made[-1]

    yield copy
    for dev in made:
        dev.clear_up()
        shutil.rmtree(dev.clone.parent, ignore_errors=True)
