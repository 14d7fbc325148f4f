"""Answers the keeper's verbs over a Unix socket, for the few who may ask."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from shipway.kit import errors, log
from shipway.runtime import wire
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.model import Kind, Owner

_PATIENCE = 60.0
"""Seconds in which a caller must have said what it wants."""
_FAREWELL = 5.0
_CRUMB = 65536
_OWN_NAME = "steward"

_log = log.get("steward")
_UNHEARD = wire.Problem(kind="Invalid", what="The request is too long, or never ended.")
_BROKEN = wire.Problem(kind="Failed", what="The steward has a fault.", fix="See its log.")


class Server:
    """Serves one `LocalKeeper` to root, to the worker's OS user, and to our own."""

    def __init__(self, keeper: LocalKeeper, home: pathlib.Path) -> None:
        self._keeper = keeper
        self._home = home.resolve()

    @contextlib.asynccontextmanager
    async def listening(self, path: pathlib.Path) -> AsyncIterator[None]:
        """Listen at this path while the block runs."""
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._meet, path, limit=wire.LONGEST_REQUEST)
        # Who may connect is decided by who they are, not by the file's mode.
        path.chmod(0o666)
        async with server:
            yield

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = _Caller(writer)
        try:
            self._admit(caller.uid(), Kind.WORKER, Kind.API)
            async with asyncio.timeout(_PATIENCE):
                request = wire.parse(await reader.readline())
            # The API may look, for people want to see what runs; it may not touch.
            looks = isinstance(request, wire.Services)
            self._admit(caller.uid(), Kind.WORKER, *([Kind.API] if looks else []))
            await _while_connected(reader, self._answer(request, caller))
            await writer.drain()
        except errors.ShipwayError as error:
            caller.tell(wire.Frame(error=wire.problem(error)))
        except (TimeoutError, ValueError, ConnectionError):
            caller.tell(wire.Frame(error=_UNHEARD))
        except Exception:  # noqa: BLE001 -- one caller's trouble must not end the others' steward
            _log.exception("steward.failed")
            caller.tell(wire.Frame(error=_BROKEN))
        finally:
            await _hear_out(reader)
            writer.close()

    def _admit(self, uid: int, *kinds: Kind) -> None:
        """Raise `errors.Denied` for a caller that is neither root, nor we, nor one of these."""
        if uid not in {0, os.geteuid(), *(self._uid_of(kind) for kind in kinds)}:
            _log.warning("steward.denied", uid=uid)
            raise errors.Denied("The steward answers to Shipway's worker and to root alone.")

    def _uid_of(self, kind: Kind) -> int:
        """The user of a part of Shipway; our own where there is no such user."""
        try:
            return pwd.getpwnam(Owner(kind).user(str(self._home))).pw_uid
        except KeyError:
            return os.geteuid()

    async def _answer(self, request: wire.Request, caller: _Caller) -> None:
        """Do what is asked, then tell that it is done."""
        match request:
            case wire.Run(task=task):
                status = await self._keeper.run(task, on_line=caller.tell_line)
                caller.tell(wire.Frame(done=status))
            case wire.Collect(owner=owner, path=path):
                await caller.tell_file(await self._keeper.opened(owner, path))
                caller.tell(wire.Frame(done=True))
            case _:
                caller.tell(wire.Frame(done=await self._verb(request)))

    async def _verb(self, request: wire.Request) -> Any:
        """Do one of the verbs that answer once. What is told stands for what the port returns."""
        _refuse_itself(request)
        arguments = {
            name: getattr(request, name) for name in type(request).model_fields if name != "verb"
        }
        answer = await _call(getattr(self._keeper, request.verb), arguments)
        return True if answer is None else answer


async def _call(verb: Callable[..., Awaitable[Any]], arguments: dict[str, Any]) -> Any:
    """Call a method of the port, whose arguments have the names that the request gives them."""
    answer = await verb(**arguments)
    if isinstance(answer, list) and answer and dataclasses.is_dataclass(answer[0]):
        return wire.OBSERVED.dump_python(answer, mode="json")
    return str(answer) if isinstance(answer, pathlib.Path) else answer


async def _while_connected(reader: asyncio.StreamReader, work: Awaitable[None]) -> None:
    """Do the work, or give it up as soon as the caller is gone."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        doing.cancel()
        leaving.cancel()
        await asyncio.wait({doing, leaving})
    if not doing.cancelled():
        doing.result()


async def _hear_out(reader: asyncio.StreamReader) -> None:
    """Let the caller leave first: a connection closed on what it still says would lose the answer."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_FAREWELL):
            while await reader.read(_CRUMB):
                pass


def _refuse_itself(request: wire.Request) -> None:
    match request:
        case wire.Keep(service=service) if service.name == _OWN_NAME:
            name = service.name
        case wire.Drop(name=name) | wire.Signal(name=name):
            pass
        case _:
            return
    if name == _OWN_NAME:
        raise errors.Refused("The steward takes no orders about itself.")


class _Caller:
    """Whoever is at the other end of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def uid(self) -> int:
        """Return the user of the process at the other end, as the kernel knows it."""
        other = self._writer.get_extra_info("socket")
        size = struct.calcsize("3i")
        credentials = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, uid, _ = struct.unpack("3i", credentials)
        return int(uid)

    def tell(self, frame: wire.Frame) -> None:
        if not self._writer.is_closing():
            self._writer.write(frame.encoded())

    def tell_line(self, line: str) -> None:
        self.tell(wire.Frame(line=line))

    async def tell_file(self, file: int) -> None:
        """Tell what an open file holds, no faster than it is heard, and close it."""
        with os.fdopen(file, "rb") as stream:
            while piece := await asyncio.to_thread(stream.read, wire.PIECE):
                self.tell(wire.Frame(data=piece))
                await self._writer.drain()
