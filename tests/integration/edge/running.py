"""A real Envoy, tiny servers behind it, and a load on it, for the tests of the edge."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx2
from tests.fakes.edge import PlainFolder

from shipway.edge import ca
from shipway.edge.drivers.envoy import Envoy, bootstrap
from shipway.edge.model import Pool, Route, Share, Table
from shipway.kit import command, http
from shipway.kit.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningEnvoy:
    """Envoy as the keeper would keep it; it can be killed and started again."""

    def __init__(self, home: pathlib.Path, *, user: int = -1) -> None:
        self.user = user
        self.settings = Settings(
            home=home, edge_address="127.0.0.1", http_port=free_port(), https_port=free_port()
        )
        self.authority = ca.Authority(home / "ca")
        self.private = PlainFolder(home / "owners" / "edge", user=user)
        self.edge = Envoy(
            home / "edge", authority=self.authority, private=self.private, settings=self.settings
        )
        self.lines: list[str] = []
        self._process: asyncio.Task[command.Outcome] | None = None

    async def start(self) -> None:
        self._spare_a_copy()
        await self.edge.prepare()
        self.start_again()

    def start_again(self) -> None:
        asked = command.Command(argv=self.edge.argv, timeout=600, cwd=self.edge.folder)
        if self.user >= 0:
            group = self.edge.folder.stat().st_gid
            asked = asked.wrapped_by(
                "setpriv", f"--reuid={self.user}", f"--regid={group}", "--clear-groups"
            )
        self._process = asyncio.create_task(
            command.run(asked, on_line=self.lines.append, check=False)
        )

    def _spare_a_copy(self) -> None:
        """Link the program where the edge would put its own copy: 100 MB for each test."""
        program = pathlib.Path(self.edge.argv[0])
        program.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            program.hardlink_to(bootstrap.program()[0])

    @property
    def process(self) -> asyncio.Task[command.Outcome]:
        assert self._process
        return self._process

    async def kill(self) -> None:
        """End it as SIGKILL does."""
        self.process.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.process

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.bundle))

    async def get(self, url: str, **headers: str) -> httpx2.Response:
        """GET a URL of a served host, wherever its name would lead."""
        return await self.ask("GET", url, **headers)

    async def ask(self, method: str, url: str, **headers: str) -> httpx2.Response:
        """Send a request without a body to a served host."""
        secure = url.startswith("https:")
        port = self.settings.https_port if secure else self.settings.http_port
        async with http.client(
            ca_file=self.authority.bundle if secure else None, address=f"127.0.0.1:{port}"
        ) as client:
            return await client.request(method, url, headers=headers)


@contextlib.asynccontextmanager
async def started(home: pathlib.Path, *, user: int = -1) -> AsyncIterator[RunningEnvoy]:
    envoy = RunningEnvoy(home, user=user)
    await envoy.start()
    try:
        yield envoy
    finally:
        await envoy.kill()


class Server:
    """An application: says its name and what it was told; ``/slow`` waits to be released."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.healthy = True
        self.seen: list[dict[str, str]] = []
        self.release = asyncio.Event()
        self.slow_begun = asyncio.Event()
        self.endpoint = ""
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.endpoint = f"{host}:{port}"

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        self.release.set()
        tasks = list(self._connections)
        for writer in list(self._connections.values()):
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections[task] = writer
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            del self._connections[task]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines)
                }
                path = first.split(" ")[1]
                if headers.get("upgrade") == "websocket":
                    await self._websocket(reader, writer)
                    return
                await self._answer(path, headers, writer)

    async def _answer(
        self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        status = "200 OK"
        if path == "/health":
            status = "200 OK" if self.healthy else "503 Service Unavailable"
        else:
            self.seen.append(headers)
        if path == "/slow":
            self.slow_begun.set()
            await self.release.wait()
        body = json.dumps({"name": self.name, "path": path, "headers": headers}).encode()
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the upgrade, then echoes bytes; the edge does not look into frames."""
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()


@dataclass
class Load:
    """What many keep-alive connections got, while it lasted."""

    answers: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def requests(self) -> int:
        return self.answers.total() + len(self.failures)

    async def reach(self, requests: int) -> None:
        """Wait until so many have been answered."""
        await until(lambda: self.requests >= requests)


@contextlib.asynccontextmanager
async def load(
    running: RunningEnvoy, host: str, *, clients: int = 8, path: str = "/"
) -> AsyncIterator[Load]:
    """Ask the host over TLS on so many keep-alive connections until the block ends."""
    found = Load()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_client(running, host, path, found, stop)) for _ in range(clients)]
    try:
        yield found
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _client(
    running: RunningEnvoy, host: str, path: str, found: Load, stop: asyncio.Event
) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1",
                running.settings.https_port,
                ssl=running.context(),
                server_hostname=host,
            )
            found.connections += 1
            while not stop.is_set():
                writer.write(request)
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                body = await asyncio.wait_for(reader.readexactly(length), 10)
                if " 200 " not in head.split("\r\n")[0]:
                    found.failures.append(head.split("\r\n")[0] + " " + body.decode())
                else:
                    found.answers[json.loads(body)["name"]] += 1
                if "connection: close" in head.lower():
                    break
            writer.close()
        except (OSError, EOFError, TimeoutError) as error:
            found.failures.append(repr(error))


async def until(true: Callable[[], bool | Awaitable[bool]], *, timeout: float = 15) -> None:
    """Look until it is so: for what only a file or an answer tells."""
    async with asyncio.timeout(timeout):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def pool(name: str, *servers: Server, health_path: str = "/health") -> Pool:
    return Pool(
        name=name,
        endpoints=tuple(server.endpoint for server in servers),
        health_path=health_path,
    )


def to(*names: str) -> tuple[Share, ...]:
    """All of the traffic to one pool, or equal parts to two."""
    return tuple(Share(pool=name, per_mille=1000 // len(names)) for name in names)


def table(pools: tuple[Pool, ...], *routes: Route) -> Table:
    return Table(routes=routes, pools=pools)
