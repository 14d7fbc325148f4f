"""Which file of which export answers a request, and how long a browser may keep it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_EXPORTS = 10
"""A request names no more exports than this; the rest is not looked at."""

FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_HASHED = re.compile(r"[.\-_][0-9a-f]{8,64}\.[a-z0-9.]+$|^[0-9a-f]{32,64}(\.[a-z0-9.]+)?$")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""Encodings by preference, and the ending of a file that is already in it."""

TYPES = {
    "css": "text/css; charset=utf-8",
    "gif": "image/gif",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
}
"""By ending. Not the machine's own table: the same export is served alike everywhere."""


@dataclass(frozen=True)
class File:
    """A file of an export: its size in bytes and the digest that names this content."""

    size: int
    digest: str


Export = Mapping[str, File]
"""The files of an export by their path, such as ``assets/index.js``: nothing else is served."""


@dataclass(frozen=True)
class Found:
    """A file that answers a request."""

    path: str
    file: File
    encoding: str = ""

    @property
    def etag(self) -> str:
        return f'"{self.file.digest[:32]}"'

    @property
    def cache_control(self) -> str:
        """For ever where the name changes with the content; else ask whether it is still so."""
        return FOR_EVER if _HASHED.search(self._plain.rpartition("/")[2]) else ASK_FIRST

    @property
    def content_type(self) -> str:
        return TYPES.get(_ending(self._plain), "application/octet-stream")

    @property
    def _plain(self) -> str:
        """The path without the ending of its encoding."""
        ending = dict(ENCODINGS).get(self.encoding, "")
        return self.path.removesuffix(ending)


def digests(header: str) -> tuple[str, ...]:
    """Return the exports that a header names, newest first; what is no digest is not one."""
    named = (part.strip() for part in header.split(","))
    return tuple(part for part in named if _DIGEST.fullmatch(part))[:MOST_EXPORTS]


def is_page(path: str) -> bool:
    """Return whether a path may be a place within the app, for its router to show."""
    return _ending(path) in {"", "html"}


def find(export: Export, path: str, accepted: Sequence[str] = ()) -> Found | None:
    """Return the file of an export that answers a path (decoded, without the first slash)."""
    for candidate in (path, f"{path}.html", f"{path.rstrip('/')}/index.html".lstrip("/")):
        if candidate in export:
            return _encoded(export, candidate, accepted)
    return None


def first_page(export: Export, accepted: Sequence[str] = ()) -> Found | None:
    """Return the page that shows every place within the app."""
    return _encoded(export, "index.html", accepted) if "index.html" in export else None


def accepted_encodings(header: str) -> tuple[str, ...]:
    """Return the encodings that a client takes (RFC 9110, 12.5.3), without those of weight 0."""
    found = []
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight):
            found.append(name.strip())
    return tuple(found)


def matches(header: str, etag: str) -> bool:
    """Return whether If-None-Match names this content (RFC 9110, 13.1.2: weak comparison)."""
    named = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in named or etag in named


def part(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last that a Range header asks for.

    None stands for the whole file: a header that is not understood, or that asks for several
    parts, is not heeded (RFC 9110, 14.2). Raises `ValueError` when no byte is within the file.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < begin:
            return None
    if begin >= end:
        raise ValueError(header)
    return begin, end


def _encoded(export: Export, path: str, accepted: Sequence[str]) -> Found:
    for encoding, ending in ENCODINGS:
        if encoding in accepted and path + ending in export:
            return Found(path + ending, export[path + ending], encoding)
    return Found(path, export[path])


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
