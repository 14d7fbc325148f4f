"""The keeper as everybody but the steward holds it: each call is one connection to the steward."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from shipway.kit import errors
from shipway.runtime import wire
from shipway.runtime.model import Observed, Owner, Service, Task
from shipway.runtime.port import OnLine

_QUICK = 120.0
"""Seconds for a call that makes or copies something."""
_SLACK = 30.0
"""Seconds on top of what a call itself may take: the steward gives up first, and says why."""


class SocketKeeper:
    """Asks the steward behind a Unix socket. Raises `errors.Unavailable` when nobody answers."""

    def __init__(self, socket_path: pathlib.Path) -> None:
        self._socket = socket_path

    async def provide(self, owner: Owner) -> pathlib.Path:
        return pathlib.Path(await self._ask(wire.Provide(owner=owner)))

    async def withdraw(self, owner: Owner) -> None:
        await self._ask(wire.Withdraw(owner=owner))

    async def write(self, owner: Owner, path: str, data: bytes, *, mode: int = 0o600) -> None:
        await self._ask(wire.Write(owner=owner, path=path, data=data, mode=mode))

    async def place(
        self, owner: Owner, path: str, source: pathlib.Path, *, unpack: bool = False
    ) -> None:
        request = wire.Place(owner=owner, path=path, source=source, unpack=unpack)
        await self._ask(request, within=600)

    async def seal(self, owner: Owner, path: str) -> None:
        await self._ask(wire.Seal(owner=owner, path=path), within=600)

    async def collect(self, owner: Owner, path: str, target: pathlib.Path) -> None:
        passing = target.with_name(f".{secrets.token_hex(8)}.new")
        try:
            with passing.open("xb") as file:
                request = wire.Collect(owner=owner, path=path)
                await self._ask(request, within=600, on_data=file.write)
            passing.replace(target)
        finally:
            passing.unlink(missing_ok=True)

    async def remove(self, owner: Owner, path: str) -> None:
        await self._ask(wire.Remove(owner=owner, path=path), within=600)

    async def run(self, task: Task, *, on_line: OnLine | None = None) -> int:
        request = wire.Run(task=task)
        return int(await self._ask(request, within=task.timeout + _SLACK, on_line=on_line))

    async def keep(self, service: Service) -> None:
        await self._ask(wire.Keep(service=service), within=_QUICK + service.grace)

    async def drop(self, name: str) -> None:
        await self._ask(wire.Drop(name=name), within=900)

    async def signal(self, name: str, signal: str) -> None:
        await self._ask(wire.Signal(name=name, signal=signal))

    async def services(self, prefix: str = "") -> Sequence[Observed]:
        return wire.OBSERVED.validate_python(await self._ask(wire.Services(prefix=prefix)))

    async def log_lines(self, name: str, *, last: int = 200) -> Sequence[str]:
        return tuple(await self._ask(wire.LogLines(name=name, last=last)))

    async def _ask(
        self,
        request: wire.Request,
        *,
        within: float = _QUICK,
        on_line: OnLine | None = None,
        on_data: Callable[[bytes], Any] | None = None,
    ) -> Any:
        try:
            async with asyncio.timeout(within), self._connected() as (reader, writer):
                writer.write(request.model_dump_json().encode() + b"\n")
                await writer.drain()
                while line := await reader.readline():
                    frame = wire.Frame.model_validate_json(line)
                    if frame.error:
                        raise wire.error_of(frame.error)
                    if frame.line is not None:
                        (on_line or _ignored)(frame.line)
                    elif frame.data is not None:
                        (on_data or _ignored)(frame.data)
                    else:
                        return frame.done
        except TimeoutError as error:
            raise self._silent(f"did not answer within {within:g} seconds") from error
        except ConnectionError as error:
            raise self._silent("went away") from error
        raise self._silent(f"went away during {request.verb!r}")

    @contextlib.asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            reader, writer = await asyncio.open_unix_connection(
                self._socket, limit=wire.LONGEST_FRAME
            )
        except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
            raise self._silent(f"cannot be reached: {error.strerror}") from error
        try:
            yield reader, writer
        finally:
            # Not awaited: a cancelled caller must be able to leave at once.
            writer.transport.abort()

    def _silent(self, how: str) -> errors.Unavailable:
        return errors.Unavailable(
            f"The steward at {self._socket} {how}.", fix="Start it with `shipway up`."
        )


def _ignored(_: object) -> None:
    """Nobody listens."""
