"""HTTP/1.1 byte by byte, so that a test may send what no decent library would.

A request is written as given: names keep their case, a name may come twice, values are Latin-1.
Nothing is added but Host and Connection. Each request has a connection of its own.
"""

from __future__ import annotations

import asyncio
import gzip
import urllib.parse
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import brotli
import zstandard

TIMEOUT = 20.0

Headers = Iterable[tuple[str, str]]


class Unreachable(OSError):
    """No answer came: the server is gone, or the phone is offline."""


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire; ``body`` is still content-encoded."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, several joined as RFC 9110 (5.3) has it."""
        found = self.values(name)
        return ", ".join(found) if found else None

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def decoded(self) -> bytes:
        """The body without its content encoding."""
        body = self.body
        for encoding in reversed((self.header("content-encoding") or "").split(",")):
            body = _decode(encoding.strip().lower(), body)
        return body


def _decode(encoding: str, body: bytes) -> bytes:
    match encoding:
        case "" | "identity":
            return body
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case "br":
            return bytes(brotli.decompress(body))
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    raise ValueError(f"no client knows the encoding {encoding!r}")


async def get(url: str, headers: Headers | Mapping[str, str] = (), *, method: str = "GET") -> Reply:
    """Send a request and read the whole answer. Raises `Unreachable`."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    address = urllib.parse.urlsplit(url)
    target = urllib.parse.urlunsplit(("", "", address.path or "/", address.query, ""))
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in pairs):
        lines.append(f"Host: {address.netloc}")
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in pairs), "", ""]
    data = "\r\n".join(lines).encode("latin-1")
    try:
        async with asyncio.timeout(TIMEOUT):
            return await exchange(address.hostname or "", address.port or 80, data, method)
    except (OSError, EOFError, asyncio.IncompleteReadError) as error:
        raise Unreachable(f"{url}: {error!r}") from error


async def exchange(host: str, port: int, data: bytes, method: str = "GET") -> Reply:
    """Send bytes and read one answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        status, headers = await _head(reader)
        body = b""
        if method != "HEAD" and status not in {204, 304}:
            body = await _body(reader, {name.lower(): value for name, value in headers})
        return Reply(status, headers, body)
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, tuple[tuple[str, str], ...]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return int(first.split(" ")[1]), tuple(headers)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    read = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        read.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(read)
