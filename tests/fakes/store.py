"""A store with the S3 protocol, over TLS, by an authority of its own: rclone's, a real one."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from demo.stage import free_ports

from shipway.database.backups.model import Place
from shipway.edge.ca import Authority
from shipway.kit import command

KEY, SECRET, BUCKET = "a-key", "a-secret-of-the-store", "backups"


@dataclass(frozen=True)
class Store:
    """Where it is, what it keeps (``files``), and how one gets in."""

    port: int
    files: pathlib.Path
    ca: str

    def place(self, *, sealed: bytes = SECRET.encode()) -> Place:
        return Place(
            endpoint=f"localhost:{self.port}",
            bucket=BUCKET,
            path="/shipway",
            key_id=KEY,
            secret=sealed,
            ca=self.ca,
        )


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path) -> AsyncIterator[Store]:
    """Serve a folder while the block runs."""
    authority = Authority(folder / "ca")
    pair = await authority.certificate(["localhost", "127.0.0.1"])
    files = folder / "files"
    (files / BUCKET).mkdir(parents=True)
    (port,) = free_ports(1)
    program = shutil.which("rclone", path=str(pathlib.Path(sys.executable).parent))
    assert program, "the tests need rclone: uv sync"
    serving = command.Command(
        argv=(
            program, "serve", "s3", str(files),
            f"--addr=127.0.0.1:{port}", f"--cert={pair.chain}", f"--key={pair.key}",
            f"--auth-key={KEY},{SECRET}", "--vfs-cache-mode=off", "--dir-cache-time=50ms", "--config=/dev/null",
        ),
        env={**command.base_environment(), "HOME": str(folder)},
    )  # fmt: skip
    said: list[str] = []
    async with command.running(serving, on_line=said.append):
        await _listening(port, said)
        yield Store(port, files, authority.bundle.read_text())


async def _listening(port: int, said: list[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert not any("Fatal" in line for line in said), said
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
