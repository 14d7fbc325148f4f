"""The measuring client reads answers as phones do, whichever server sends them."""

from __future__ import annotations

import asyncio

import pytest
from benchmarks.bench import checks

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\n"


async def read(data: bytes) -> tuple[int, bytes]:
    """Return the bytes of an answer's body, and what is left after it."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await checks._answer(reader), await reader.read()


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello", 5),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", 5),
        (b"HTTP/1.1 204 No Content\r\nexpo-protocol-version: 1\r\n\r\n", 0),
    ],
    ids=["with a length", "in chunks", "without a body"],
)
async def test_an_answer_is_read_to_its_end(answer: bytes, size: int) -> None:
    assert await read(answer + b"the next") == (size, b"the next")


async def test_what_a_phone_would_not_take_is_not_counted() -> None:
    with pytest.raises(ValueError, match="404"):
        await read(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


def test_the_address_of_a_peer_may_have_a_query() -> None:
    server = checks.Server("http://127.0.0.1:3000/api/manifest?project=aios")
    [asked] = checks.devices(server, 1, "x")
    assert asked.startswith(b"GET /api/manifest?project=aios HTTP/1.1\r\nhost: 127.0.0.1:3000\r\n")
