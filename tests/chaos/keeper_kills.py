"""What is killed in ``test_keeper_kills``, in a process namespace of its own: ``keeper_kills.py NAME``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable

from shipway.kit import command, errors, settings
from shipway.runtime.drivers import boot, processes
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Kind, Observed, Owner, Service, Task

SERVER = Owner(Kind.SERVER, "tiny", "staging")
BUILD = Owner(Kind.BUILD, "tiny")
WEB = """
import http.server, signal, sys, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""


async def the_root_of_the_tree(stage: Stage) -> None:
    """Services run on under the same ids; the steward starts another root; all verbs work."""
    keeper = stage.keeper
    await keeper.keep(web("server.tiny.staging.r.1", 24001))
    await stage.serves(24001)
    async with under_load(lambda: 24001) as load:
        before = {one.name: one.pid for one in await keeper.services()}
        await stage.kill("s6-svscan")
        await stage.until(stage.is_watched)
        assert before == {one.name: one.pid for one in await keeper.services()}
        await keeper.keep(web("server.tiny.staging.r.2", 24002))
        await stage.serves(24002)
        await keeper.drop("server.tiny.staging.r.2")
    load.must_be_clean()
    await keeper.drop("server.tiny.staging.r.1")
    assert [one.name for one in await keeper.services()] == ["steward"]
    await boot.shut_down(stage.settings)
    assert stage.ids_of("s6-supervise") == []


async def a_supervisor_of_the_platform(stage: Stage) -> None:
    """The process that it leaves is ended, and its successor takes over."""
    api = Owner(Kind.API)
    await stage.keeper.keep(Service(owner=api, name="api", argv=("sleep", "1000"), grace=2.0))
    before = await stage.seen("api")
    await stage.kill_supervisor("api")

    async def is_replaced() -> bool:
        now = await stage.seen("api")
        return now.up and now.pid != before.pid and not now.orphans

    await stage.until(is_replaced)
    assert processes.identify(before.pid) is None


async def a_supervisor_of_an_instance(stage: Stage) -> None:
    """The orphan serves until its successor has the traffic: no request fails."""
    keeper, ports = stage.keeper, [24011]
    await keeper.keep(web("server.tiny.staging.r.1", 24011))
    await stage.serves(24011)
    async with under_load(lambda: ports[-1]) as load:
        before = await stage.seen("server.tiny.staging.r.1")
        await stage.kill_supervisor("server.tiny.staging.r.1")

        async def is_found() -> bool:
            found = await stage.seen("server.tiny.staging.r.1")
            # The second copy fails at the port; it is held back and does no harm.
            return found.orphans == (before.pid,) and found.restarts > 1

        await stage.until(is_found)
        await keeper.keep(web("server.tiny.staging.r.2", 24012))
        await stage.serves(24012)
        ports.append(24012)
        await keeper.drop("server.tiny.staging.r.1")
        assert processes.identify(before.pid) is None
    load.must_be_clean()


async def the_steward(stage: Stage) -> None:
    """A task ends with the steward that ran it; the next one answers; services did not notice."""
    await stage.keeper.keep(web("server.tiny.staging.r.1", 24021))
    await stage.serves(24021)
    task = Task(owner=BUILD, argv=("sleep", "4321.5"), key="k")
    running = asyncio.create_task(stage.keeper.run(task))
    await stage.until_true(lambda: stage.ids_of("sleep"))
    async with under_load(lambda: 24021) as load:
        os.kill((await stage.seen("steward")).pid, signal.SIGKILL)
        with contextlib.suppress(errors.Unavailable):
            await running
        await stage.until_true(lambda: not stage.ids_of("sleep"))

        async def answers_again() -> bool:
            with contextlib.suppress(errors.Unavailable):
                return await stage.keeper.run(Task(owner=BUILD, argv=("true",), key="k")) == 0
            return False

        await stage.until(answers_again)
    load.must_be_clean()


async def a_caller(stage: Stage) -> None:
    """Its task ends, with children in sessions of their own."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from shipway.runtime.drivers.socket import SocketKeeper\n"
        "from shipway.runtime.model import Kind, Owner, Task\n"
        "task = Task(owner=Owner(Kind.BUILD, 'tiny'), key='k',"
        " argv=('sh', '-c', 'setsid sleep 4322.5 & setsid sleep 4323.5'))\n"
        "asyncio.run(SocketKeeper(pathlib.Path(sys.argv[1])).run(task))\n"
    )
    socket = str(stage.settings.run / "steward.sock")
    caller = asyncio.create_task(
        command.run(
            command.Command(
                argv=(sys.executable, "-c", program, socket), env=command.base_environment()
            )
        )
    )
    await stage.until_true(lambda: len(stage.ids_of("sleep")) == 2)
    caller.cancel()
    await asyncio.wait({caller})
    await stage.until_true(lambda: not stage.ids_of("sleep"))


async def everything(stage: Stage) -> None:
    """As when the machine loses power: the next boot starts what was kept, and trusts no old id."""
    await stage.keeper.keep(web("server.tiny.staging.r.1", 24031))
    await stage.serves(24031)
    for name in ("s6-svscan", "s6-supervise", "s6-log", "python3"):
        for pid in stage.ids_of(name):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    await boot.boot(stage.settings)
    await stage.serves(24031)
    assert (await stage.seen("server.tiny.staging.r.1")).orphans == ()


class Stage:
    """A booted platform of this namespace's own."""

    def __init__(self, found: settings.Settings, keeper: SocketKeeper) -> None:
        self.settings = found
        self.keeper = keeper

    async def seen(self, name: str) -> Observed:
        (found,) = [one for one in await self.keeper.services(name) if one.name == name]
        return found

    async def is_watched(self) -> bool:
        return (
            bool(self.ids_of("s6-svscan"))
            and await LocalKeeper(self.settings.home, self.settings).tree.is_watched()
        )

    async def kill(self, program: str) -> None:
        (pid,) = self.ids_of(program)
        os.kill(pid, signal.SIGKILL)

    async def kill_supervisor(self, name: str) -> None:
        (pid,) = [one for one in self.ids_of("s6-supervise") if _words(one)[1] == name]
        os.kill(pid, signal.SIGKILL)

    def ids_of(self, program: str) -> list[int]:
        """Return the processes of this namespace that run a program; the dead do not count."""
        ids = [int(one.name) for one in pathlib.Path("/proc").iterdir() if one.name.isdigit()]
        return [
            pid
            for pid in ids
            if pid > 1 and pathlib.Path(_words(pid)[0]).name == program and processes.identify(pid)
        ]

    async def serves(self, port: int) -> None:
        async def answers() -> bool:
            return await _ask(port)

        await self.until(answers)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(40):
            while not await condition():  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.05)

    async def until_true(self, condition: Callable[[], object]) -> None:
        async def holds() -> bool:
            return bool(condition())

        await self.until(holds)


class Load:
    """Requests that came back, and those that did not."""

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0

    def must_be_clean(self) -> None:
        assert self.good > 20, f"only {self.good} requests"
        assert self.bad == 0, f"{self.bad} of {self.good + self.bad} requests failed"


@contextlib.asynccontextmanager
async def under_load(port: Callable[[], int]) -> AsyncIterator[Load]:
    """Send requests one after the other while the block runs."""
    load = Load()

    async def send() -> None:
        while True:
            if await _ask(port()):
                load.good += 1
            else:
                load.bad += 1
            await asyncio.sleep(0.005)

    sending = asyncio.create_task(send())
    try:
        yield load
        await asyncio.sleep(0.2)
    finally:
        sending.cancel()


async def _ask(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
    except OSError:
        return False
    return answer.endswith(b"ok")


def web(name: str, port: int) -> Service:
    return Service(owner=SERVER, name=name, argv=("python3", "-c", WEB, str(port)), grace=5.0)


def _words(pid: int) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ["", ""]


SCENES = {
    scene.__name__: scene
    for scene in (
        the_root_of_the_tree,
        a_supervisor_of_the_platform,
        a_supervisor_of_an_instance,
        the_steward,
        a_caller,
        everything,
    )
}


async def play(name: str) -> None:
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-kill-", dir="/var/tmp"))
    home.chmod(0o755)
    found = settings.load(home=home)
    try:
        keeper = await boot.boot(found)
        await SCENES[name](Stage(found, keeper))
    finally:
        await boot.shut_down(found, forget=True)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1]))
