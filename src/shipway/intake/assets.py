"""The files of updates: assets in the encoding that a client takes, and patches for bundles.

The bytes at an address never change: its name is their SHA-256.
"""

from __future__ import annotations

import asyncio
import pathlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.intake import asking, model
from shipway.intake.asking import Malformed
from shipway.updates import manifests
from shipway.updates.board import Board, Patch
from shipway.updates.files import ENCODINGS, Files

AWAY = "This asset cannot be read at the moment."

MOST_CACHED = 64 * 1024 * 1024
"""Bytes of files that stay in memory: what a push storm asks for again and again."""

INERT = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
"""On every file: the ending in an address is the asker's choice, and files of all apps stand side
by side. A browser that opens one as a page runs nothing of it in the name of the host."""

_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{1,16})")


@dataclass(frozen=True, kw_only=True)
class Sending:
    """An answer whose bytes stand in memory or in a file, from ``begin`` to ``end``.

    ``of_launch`` says that it is a bundle; ``saved`` are the bytes that a patch from ``base``
    spared.
    """

    status: int
    headers: Mapping[str, str]
    path: pathlib.Path | None = None
    data: bytes = field(default=b"", repr=False)
    begin: int = 0
    end: int = 0
    of_launch: bool = False
    base: str = ""
    saved: int = 0


class Shelf:
    """Finds the files of updates."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._cached: OrderedDict[pathlib.Path, bytes] = OrderedDict()
        self._bytes = 0

    async def find(self, name: str, headers: Mapping[str, str], board: Board | None) -> Sending:
        """Return the answer for a file by its name in a manifest's URL. Raises `Malformed`."""
        match = _NAME.fullmatch(name)
        if not match:
            raise Malformed("There is no such asset.", 404)
        sha256, ending = match.groups()
        if board and ending == manifests.BUNDLE and wants_patch(headers.get("a-im", "")):
            patch = await self._patch(sha256, headers, board)
            if patch is not None:
                return patch
        return await self._whole(sha256, ending, headers)

    async def _whole(self, sha256: str, ending: str, headers: Mapping[str, str]) -> Sending:
        try:
            there = await asyncio.to_thread(self._encodings, sha256)
        except OSError as error:
            raise Malformed(AWAY, 503) from error
        if there is None:
            raise Malformed("There is no such asset.", 404)
        encoding = asking.encoding(headers.get("accept-encoding", ""), there)
        if encoding is None:
            raise Malformed("The asset is not there in any encoding that you accept.", 406)
        of_launch = ending == manifests.BUNDLE
        etag = f'"{sha256[:32]}{f"-{encoding}" if encoding else ""}"'
        told = {
            "content-type": manifests.content_type(ending),
            "etag": etag,
            "cache-control": model.FOR_EVER,
            "vary": "accept-encoding, a-im, expo-current-update-id"
            if of_launch
            else "accept-encoding",
            **INERT,
        }
        if encoding:
            told["content-encoding"] = encoding
        if model.matches(headers.get("if-none-match", ""), etag):
            return Sending(status=304, headers=told)
        path = self._files.path(sha256, encoding)
        return await self._part(path, told, headers, of_launch=of_launch)

    async def _part(
        self,
        path: pathlib.Path,
        told: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        of_launch: bool,
    ) -> Sending:
        data, size = await self._read(path)
        unless_changed = headers.get("if-range", "")
        part = None
        if not unless_changed or unless_changed == told["etag"]:
            try:
                part = model.part(headers.get("range", ""), size)
            except ValueError:
                beyond = {"content-range": f"bytes */{size}", "content-length": "0"}
                return Sending(status=416, headers=beyond)
        begin, end = part or (0, size)
        more = {"content-length": str(end - begin), "accept-ranges": "bytes"}
        if part:
            more["content-range"] = f"bytes {begin}-{end - 1}/{size}"
        return Sending(
            status=206 if part else 200,
            headers={**told, **more},
            path=path,
            data=data,
            begin=begin,
            end=end,
            of_launch=of_launch,
        )

    async def _patch(self, sha256: str, headers: Mapping[str, str], board: Board) -> Sending | None:
        """Return the patch from what the device runs, when there is one."""
        running = asking.update_id(headers, "expo-current-update-id")
        requested = asking.update_id(headers, "expo-requested-update-id")
        base = board.launches.get(running, "")
        if not base or running == requested or board.launches.get(requested) != sha256:
            return None
        for patch in board.patches:
            if patch.base == base and patch.target == sha256:
                return await self._patched(patch, running)
        return None

    async def _patched(self, patch: Patch, running: str) -> Sending | None:
        path = self._files.path(patch.file)
        try:
            data, size = await self._read(path)
        except Malformed:
            return None
        told = {
            "content-type": "application/octet-stream",
            "content-length": str(size),
            "im": "bsdiff",
            "expo-base-update-id": running,
            # The whole stands at the same address: no cache may mix them up.
            "cache-control": "private, no-store",
            "vary": "a-im, expo-current-update-id",
            **INERT,
        }
        return Sending(
            status=226,
            headers=told,
            path=path,
            data=data,
            end=size,
            of_launch=True,
            base=running,
            saved=patch.full_size - size,
        )

    def _encodings(self, sha256: str) -> tuple[str, ...] | None:
        if not self._files.path(sha256).exists():
            return None
        return tuple(name for name in ENCODINGS if self._files.path(sha256, name).exists())

    async def _read(self, path: pathlib.Path) -> tuple[bytes, int]:
        """Return a file's bytes, or none when it is too large to be kept, and its size."""
        if (data := self._cached.get(path)) is not None:
            self._cached.move_to_end(path)
            return data, len(data)
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
            if size > MOST_CACHED // 8:
                return b"", size
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise Malformed(AWAY, 503) from error
        # Another request may have read it meanwhile.
        self._bytes += len(data) - len(self._cached.get(path, b""))
        self._cached[path] = data
        while self._bytes > MOST_CACHED:
            _, gone = self._cached.popitem(last=False)
            self._bytes -= len(gone)
        return data, len(data)


def wants_patch(header: str) -> bool:
    """Return whether A-IM (RFC 3229, 10.5.3) names bsdiff, with a weight above zero."""
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "bsdiff":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
