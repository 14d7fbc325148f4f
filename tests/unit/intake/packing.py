"""Makes tar files, good and bad ones, and asks the application without a socket."""

from __future__ import annotations

import io
import pathlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipway.intake.app import Intake
from shipway.intake.boards import Boards
from shipway.intake.exports import Exports
from shipway.intake.sightings import Sightings
from shipway.intake.updates import Updates
from shipway.kit.blobs import Blobs
from shipway.updates.files import Files


def tar(path: pathlib.Path, files: Mapping[str, bytes]) -> pathlib.Path:
    return tar_of(path, [(tarfile.TarInfo(name), data) for name, data in files.items()])


def tar_of(path: pathlib.Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> pathlib.Path:
    with tarfile.open(path, "w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


class Site:
    """The application over a folder of artifacts."""

    def __init__(self, folder: pathlib.Path, *, most_bytes: int = 1024**3) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.blobs = Blobs(folder / "artifacts")
        self.exports = Exports(self.cache, self.blobs, most_bytes=most_bytes)
        boards, files = Boards(folder / "boards"), Files(folder / "files")
        updates = Updates(boards, files, Sightings(folder / "own" / "sightings"))
        self.app = Intake(self.exports, updates)

    async def add(self, files: Mapping[str, bytes]) -> str:
        archive = tar(self.folder / "export.tar", files)
        digest = await self.blobs.put(archive)
        archive.unlink()
        return digest

    async def get(self, path: str, *digests: str, method: str = "GET", **headers: str) -> Answered:
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        if digests:
            pairs.append((b"x-shipway-exports", ",".join(digests).encode()))
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request"}

        scope = {"type": "http", "method": method, "path": path, "headers": pairs}
        await self.app(scope, receive, send)
        start, *bodies = sent
        assert not bodies[-1].get("more_body")
        return Answered(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message["body"] for message in bodies),
        )
