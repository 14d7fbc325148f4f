"""Checks for updates as phones make them, over kept connections, against any server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import statistics
import urllib.parse
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

RUNTIME = "bench"
"""The runtime version that every server asked here must have an update for, on iOS."""


@dataclass(frozen=True)
class Server:
    """A server: the URL of its manifests, and its process (0 when that is not known)."""

    url: str
    pid: int = 0

    @property
    def path(self) -> str:
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        if not self.pid:
            return 0.0
        parts = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """Bytes in memory."""
        if not self.pid:
            return 0
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@dataclass
class Round:
    """What one round of asking gave. Latencies are in seconds, CPU is of the server; ``bytes``
    are those of the last answer."""

    answers: int
    seconds: float
    cpu: float
    bytes: int
    latencies: list[float] = field(repr=False)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def cost(self) -> float:
        """Seconds of CPU for one answer."""
        return self.cpu / self.answers


def request(server: Server, device: str, current: str, path: str = "") -> bytes:
    """Return the bytes of a check, with the headers that a phone sends."""
    lines = [
        f"GET {path or server.path} HTTP/1.1",
        f"host: {urllib.parse.urlsplit(server.url).netloc}",
        "accept: multipart/mixed,application/expo+json,application/json",
        "expo-platform: ios",
        "expo-protocol-version: 1",
        "expo-api-version: 1",
        "expo-updates-environment: BARE",
        "expo-json-error: true",
        f"eas-client-id: {device.upper()}",
        f"expo-runtime-version: {RUNTIME}",
        "expo-channel-name: production",
        f"expo-current-update-id: {current}",
        f"expo-embedded-update-id: {current}",
        'expo-expect-signature: sig, keyid="main", alg="rsa-v1_5-sha256"',
        # The edge would add it for Shipway's; others do not look at it.
        "x-shipway-updates: bench/production",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def devices(server: Server, known: int, current: str) -> list[bytes]:
    """Return a check by each of so many devices."""
    return [request(server, str(uuid.UUID(int=number)), current) for number in range(known)]


async def ask(server: Server, requests: Sequence[bytes], seconds: float, *, at_once: int) -> Round:
    """Ask again and again over kept connections. Every answer must be a good one."""
    latencies: list[float] = []
    size = 0
    loop = asyncio.get_running_loop()
    cpu, begun = server.cpu, loop.time()

    async def connection(first: int) -> None:
        nonlocal size
        parts = urllib.parse.urlsplit(server.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        with contextlib.closing(writer):
            number = first
            while number == first or loop.time() - begun < seconds:
                asked = loop.time()
                writer.write(requests[number % len(requests)])
                size = await _answer(reader)
                latencies.append(loop.time() - asked)
                number += at_once

    await asyncio.gather(*(connection(number) for number in range(at_once)))
    return Round(len(latencies), loop.time() - begun, server.cpu - cpu, size, latencies)


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read an answer and return the bytes of its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if head[9:10] != b"2":
        raise ValueError(f"a phone would be told {head[:200]!r}")
    if b"transfer-encoding: chunked" in head:
        return await _chunks(reader)
    size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
    await reader.readexactly(size)
    return size


async def _chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while size := int((await reader.readline()).partition(b";")[0], 16):
        await reader.readexactly(size + 2)
        total += size
    await reader.readline()
    return total


def told(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the figures of rounds: rates and costs by their median, latencies of all."""
    latencies = sorted(one for round_ in rounds for one in round_.latencies)
    return {
        "per_second": round(statistics.median(round_.rate for round_ in rounds), 1),
        "cpu_ms": round(statistics.median(round_.cost for round_ in rounds) * 1000, 4),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
    }
