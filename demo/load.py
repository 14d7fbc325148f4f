"""Users of the app: requests through TLS at a steady rate, each answer looked at."""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

PER_SECOND = 150
AT_LEAST_PER_SECOND = 100
KEPT_ALIVE, FRESH = 8, 2
"""Of the users most keep their connection; the others open a new one for each request."""

PATIENCE_SECONDS = 30.0


class Load:
    """Asks again and again, and remembers which release answered, and when."""

    def __init__(
        self, url: str, edge: str, ca_file: pathlib.Path, *, path: str = "/version"
    ) -> None:
        self._url = httpx2.URL(url).join(path)
        self._edge = edge
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._seen: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._failures: list[tuple[float, str]] = []
        self._news = asyncio.Condition()
        self._leaving = asyncio.Event()
        self._users: list[asyncio.Task[None]] = []
        self._began = self._ended = 0.0
        self.tls = ""

    async def __aenter__(self) -> Self:
        self.tls = await self._tls_version()
        self._began = time.monotonic()
        users = [self._user(keeps=True) for _ in range(KEPT_ALIVE)]
        users += [self._user(keeps=False) for _ in range(FRESH)]
        self._users = [asyncio.create_task(user) for user in users]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        await asyncio.gather(*self._users)
        self._ended = time.monotonic()

    async def see(self, version: str, *, times: int) -> None:
        """Wait until this release has answered so many more requests."""
        wanted = self._seen[version] + times
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self._seen[version] >= wanted)

    async def see_any(self, *, times: int) -> None:
        """Wait until so many more requests were answered, by whichever release."""
        wanted = self._seen.total() + times
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self._seen.total() >= wanted)

    async def see_clean(self, *, times: int) -> float:
        """Wait until so many requests in a row were answered well, and return when they began
        (monotonic seconds)."""
        failed, began, wanted = -1, 0.0, 0
        async with asyncio.timeout(4 * PATIENCE_SECONDS), self._news:
            while self._seen.total() < wanted or len(self._failures) != failed:
                if len(self._failures) != failed:
                    failed, began = len(self._failures), time.monotonic()
                    wanted = self._seen.total() + times
                await self._news.wait()
        return began

    def last_seen(self, version: str) -> float:
        """Return when this release gave its last answer (monotonic seconds)."""
        return self._last[version]

    def failures(self, *, but: Sequence[tuple[float, float]] = ()) -> list[tuple[float, str]]:
        """Return what failed when, but for some spans of time (monotonic seconds)."""
        return [
            (at, failure)
            for at, failure in self._failures
            if not any(began <= at <= ended for began, ended in but)
        ]

    def figures(self) -> dict[str, Any]:
        requests = sum(self._seen.values()) + len(self._failures)
        return {
            "requests": requests,
            "failed_requests": len(self._failures),
            "failures": [failure for _, failure in self._failures[:5]],
            "requests_per_second": round(requests / (self._ended - self._began), 1),
            "versions_seen": sorted(self._seen),
            "tls": self.tls,
        }

    async def _user(self, *, keeps: bool) -> None:
        """Ask at a steady rate, whatever the answers take: the next is due, not delayed."""
        pause = (KEPT_ALIVE + FRESH) / PER_SECOND
        due = time.monotonic()
        client = self._client()
        try:
            while not self._leaving.is_set():
                if not keeps:
                    await client.aclose()
                    client = self._client()
                await self._ask(client)
                due += pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await client.aclose()

    async def _ask(self, client: httpx2.AsyncClient) -> None:
        host, _, port = self._edge.rpartition(":")
        try:
            answer = await client.get(
                self._url.copy_with(host=host, port=int(port)),
                headers={"host": self._url.netloc.decode()},
                extensions={"sni_hostname": self._url.host},
            )
            answer.raise_for_status()
            told = answer.json()
            version = str(told.get("release") or told["version"])
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            self._failures.append((time.monotonic(), f"{type(error).__name__}: {error}"))
            return
        self._seen[version] += 1
        self._last[version] = time.monotonic()
        async with self._news:
            self._news.notify_all()

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(verify=self._context, timeout=10, trust_env=False)

    async def _tls_version(self) -> str:
        host, _, port = self._edge.rpartition(":")
        _, writer = await asyncio.open_connection(
            host, int(port), ssl=self._context, server_hostname=self._url.host
        )
        spoken = str(writer.get_extra_info("ssl_object").version())
        writer.close()
        await writer.wait_closed()
        return spoken
