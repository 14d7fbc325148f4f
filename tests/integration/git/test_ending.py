"""The API comes to its end while somebody pushes."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from tests.fakes.checkout import Checkout, eventually
from tests.fakes.platform import Parts, parts

from shipway.access.model import Role
from shipway.kit import command, db, errors, http

pytestmark = pytest.mark.anyio

T = TypeVar("T")

ROOT = pathlib.Path(__file__).parents[3]


@dataclass
class Process:
    """An API in a process of its own."""

    running: asyncio.subprocess.Process

    async def end(self, signal: int) -> str:
        """Send a signal and return what it wrote until its end."""
        assert self.running.pid > 1
        self.running.send_signal(signal)
        written, _ = await asyncio.wait_for(self.running.communicate(), 30)
        return written.decode()


@dataclass
class Stage:
    parts: Parts
    url: str
    home: pathlib.Path
    port: int

    @contextlib.asynccontextmanager
    async def api(self, *stuck: str) -> AsyncIterator[Process]:
        arguments = (self.url, str(self.home), str(self.port), *stuck)
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fakes.serve", *arguments,
            cwd=ROOT, env=command.base_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await self._wait()
            yield Process(running)
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()

    async def _wait(self) -> None:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(errors.Unavailable):
                    await http.get(f"http://127.0.0.1:{self.port}/health", timeout=2)
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def stage(database: db.Database, database_url: str, home: pathlib.Path) -> Stage:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Stage(parts(database, home), database_url, home, port)
    await made.parts.platform.apps.create("tiny", "olga")
    await made.parts.platform.sources.create("tiny")
    return made


@pytest.fixture
async def checkout(stage: Stage, tmp_path: pathlib.Path) -> Checkout:
    token = await stage.parts.token("ana", Role.DEVELOPER)
    made = Checkout(tmp_path, f"http://127.0.0.1:{stage.port}/git/tiny.git", token)
    await made.init()
    return made


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """Wait for what another process does."""
    async with asyncio.timeout(60):
        while not (found := await look()):  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.05)
    return found


async def test_a_push_that_landed_before_the_api_was_killed_starts_its_run(
    stage: Stage, checkout: Checkout
) -> None:
    sources, runs = stage.parts.platform.sources, stage.parts.platform.runs
    async with stage.api("stuck") as api:
        pushing = asyncio.ensure_future(checkout.push(check=False))
        await until(lambda: sources.refs("tiny"))
        await api.end(9)
    await pushing
    assert await runs.list("tiny") == []
    async with stage.api():
        found = await until(lambda: runs.list("tiny"))
    assert [(run.branch, run.pushed_by) for run in found] == [("main", "ana")]
    assert found[0].commit == (await sources.refs("tiny"))["main"]


async def test_a_push_in_view_is_told_that_the_api_stops(stage: Stage, checkout: Checkout) -> None:
    told, lines = asyncio.Event(), []

    def heard(line: str) -> None:
        lines.append(line)
        if "Ctrl-C leaves it running" in line:
            told.set()

    async with stage.api() as api:
        pushing = asyncio.ensure_future(
            command.run(checkout.command("push", "origin", "main"), on_line=heard)
        )
        await eventually(told, 60)
        assert await api.end(15) == "closed\n"
        assert api.running.returncode == 0
    assert (await pushing).status == 0
    assert any("Shipway is restarting. The run goes on" in line for line in lines)
