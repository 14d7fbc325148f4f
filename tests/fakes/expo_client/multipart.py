"""How the two clients read a multipart answer. They differ, and both are stricter than MIME.

Android: OkHttp's ``MultipartReader``. iOS: ``UpdatesMultipartStreamReader``. Written from what
they accept and refuse, not from their text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CRLF = b"\r\n"

_PARAMETER = re.compile(r""";\s*([a-zA-Z0-9!#$%&'*+.^_`{|}~-]+)\s*=\s*(?:"([^"]*)"|([^\s;]+))""")


class Unreadable(ValueError):
    """A client throws the whole answer away."""


@dataclass(frozen=True)
class Part:
    """A part of an answer. The headers have the names that stood there, case and all."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Look a header up as HTTP does: whatever the case."""
        found = [value for key, value in self.headers.items() if key.lower() == name]
        return found[-1] if found else None

    @property
    def name(self) -> str | None:
        """The name in Content-Disposition; the client skips a part that has none."""
        return parameter(self.header("content-disposition") or "", "name")


def parameter(header: str, name: str) -> str | None:
    """Return a parameter of a header such as Content-Type, unquoted."""
    for key, quoted, bare in _PARAMETER.findall(header):
        if key.lower() == name:
            return str(quoted or bare)
    return None


def boundary(content_type: str) -> bytes:
    """Return the boundary. Raises `Unreadable` when there is none."""
    found = parameter(content_type, "boundary")
    if not found:
        raise Unreadable(f"no boundary in {content_type!r}")
    return found.encode()


def read_ios(body: bytes, mark: bytes) -> list[Part]:
    """Read as iOS does: the last boundary must end in CRLF. Raises `Unreadable`."""
    close = CRLF + b"--" + mark + b"--" + CRLF
    delimiter = b"--" + mark + CRLF
    parts: list[Part] = []
    start = 0
    while True:
        end = body.find(delimiter, start)
        last = end < 0
        if last:
            end = body.find(close, start)
        if end < 0:
            raise Unreadable("iOS found no closing boundary that ends in CRLF")
        if start > 0:
            parts.append(_ios_part(body[start:end]))
        if last:
            return parts
        start = end + len(delimiter)
        delimiter = CRLF + b"--" + mark + CRLF


def _ios_part(chunk: bytes) -> Part:
    head, separator, content = chunk.partition(CRLF + CRLF)
    if not separator:
        return Part({}, chunk)
    headers = {}
    for line in head.decode().split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name] = value.strip()
    return Part(headers, content)


def read_android(body: bytes, mark: bytes) -> list[Part]:
    """Read as OkHttp does: CRLF only, and at least one part. Raises `Unreadable`."""
    dashes = b"--" + mark
    parts: list[Part] = []
    at = len(dashes) if body.startswith(dashes) else _after(body, 0, CRLF + dashes)
    while True:
        at, more = _android_boundary(body, at)
        if not more:
            if not parts:
                raise Unreadable("OkHttp expects at least one part")
            return parts
        headers, at = _android_headers(body, at)
        end = body.find(CRLF + dashes, at)
        if end < 0:
            raise Unreadable("OkHttp met the end before the boundary")
        parts.append(Part(headers, body[at:end]))
        at = end + len(CRLF + dashes)


def _after(body: bytes, at: int, wanted: bytes) -> int:
    found = body.find(wanted, at)
    if found < 0:
        raise Unreadable("OkHttp met the end before the boundary")
    return found + len(wanted)


def _android_boundary(body: bytes, at: int) -> tuple[int, bool]:
    """Read what follows a boundary; tell where it ends and whether a part comes."""
    space = False
    while True:
        if body.startswith(CRLF, at):
            return at + 2, True
        if body.startswith(b"--", at) and not space:
            return at + 2, False
        if body[at : at + 1] not in {b" ", b"\t"}:
            raise Unreadable("OkHttp found unexpected characters after the boundary")
        space = True
        at += 1


def _android_headers(body: bytes, at: int) -> tuple[dict[str, str], int]:
    headers: dict[str, str] = {}
    while True:
        end = body.find(b"\n", at)
        if end < 0:
            raise Unreadable("OkHttp met the end in the headers of a part")
        line = body[at:end].removesuffix(b"\r").decode()
        at = end + 1
        if not line:
            return headers, at
        name, _, value = line.partition(":")
        headers[name] = value.strip()
