"""The one door to processes: a command is a value, and running it is somebody else's business."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shlex
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shipway.kit import errors

OnLine = Callable[[str], None]

BEHIND_THE_APPS = ("/usr/bin/nice", "-n", "10")
"""Begins the command of long work that nobody waits for: apps come first at the processor."""

LONGEST_LINE = 64 * 1024
"""Of a longer line these many bytes are told, and not the rest: memory stays bounded, and no secret
is cut in two that a mask would know whole."""

KEPT_LINES = 40
"""The last lines that an error carries."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run: an argument vector, never a shell string.

    ``env`` is the whole environment of the process (nothing is inherited) and never shown.
    ``fds`` are file descriptors that the process keeps open. ``ids`` are the OS user and group that
    it runs as, for a caller who is root; nobody else can change who they are.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: pathlib.Path | None = None
    timeout: float = 60.0
    stdin: bytes = field(default=b"", repr=False)
    fds: tuple[int, ...] = ()
    ids: tuple[int, int] | None = None

    def __str__(self) -> str:
        return shlex.join(self.argv)

    def wrapped_by(self, *prefix: str) -> Command:
        """Return the same command run by another, such as ``setpriv``."""
        return replace(self, argv=(*prefix, *self.argv))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended. ``output`` is standard output, whole, for those who asked to keep it."""

    status: int
    output: str
    last_lines: tuple[str, ...]


class CommandFailed(errors.Failed):
    """A command ended with another status than 0, or ran out of time."""

    def __init__(self, command: Command, status: int | None, last_lines: Sequence[str]) -> None:
        ending = "ran out of time" if status is None else _ending(status)
        super().__init__(f"`{command}` {ending}. {' '.join(last_lines[-3:])}".strip())
        self.command = command
        self.exit_status = status
        self.last_lines = tuple(last_lines)


def base_environment() -> dict[str, str]:
    """Return the few variables that any program may see: where programs are, and the language."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}  # noqa: TID251 -- the door


def inherited(*names: str) -> dict[str, str]:
    """Return those of these variables that this process was started with."""
    return {name: os.environ[name] for name in names if name in os.environ}  # noqa: TID251 -- the door


def everything_inherited() -> dict[str, str]:
    """Return all that this process was started with: only for what people run for themselves."""
    return dict(os.environ)  # noqa: TID251 -- the door


async def run(
    command: Command,
    *,
    on_line: OnLine | None = None,
    check: bool = True,
    on_start: Callable[[int], None] | None = None,
) -> Outcome:
    """Run a command to its end, telling ``on_line`` each line of both streams as it comes.
    ``on_start`` is told its process id.

    The process leads a session of its own, and the whole session is killed when this call ends
    in any way: success, failure, time-out or cancellation. Raises `CommandFailed` unless ``check``
    is off, and `errors.Unavailable` when the program is not there.
    """
    process = await _start(command)
    if on_start:
        on_start(process.pid)
    last: list[str] = []
    output: list[bytes] = []

    def heard(line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r\n")
        last.append(text)
        del last[:-KEPT_LINES]
        if on_line:
            on_line(text)

    try:
        async with asyncio.timeout(command.timeout):
            await asyncio.gather(
                _feed(process, command.stdin),
                _read(process.stdout, heard, output if on_line is None else None),
                _read(process.stderr, heard, None),
            )
            status = await process.wait()
    except TimeoutError as error:
        raise CommandFailed(command, None, last) from error
    finally:
        await _end(process)
    if check and status != 0:
        raise CommandFailed(command, status, last)
    return Outcome(
        status=status, output=b"".join(output).decode(errors="replace"), last_lines=tuple(last)
    )


@dataclass(frozen=True)
class Pipes:
    """A running command whose input and output are streams of bytes."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader


@contextlib.asynccontextmanager
async def piped(
    command: Command, *, on_error_line: OnLine, grace: float = 10.0
) -> AsyncIterator[Pipes]:
    """Run a command while the block feeds and reads it; ``stdin`` of the command is not used.

    When the block has read all output, the command may finish; when the block is left otherwise,
    or the command's time-out has passed, its session is asked to end and killed ``grace`` seconds
    later. Lines of standard error are told. Raises `CommandFailed` on a time-out.
    """
    process = await _start(command)
    assert process.stdin
    assert process.stdout

    def heard(line: bytes) -> None:
        on_error_line(line.decode(errors="replace").rstrip("\r\n"))

    errors_read = asyncio.ensure_future(_read(process.stderr, heard, None))
    try:
        async with asyncio.timeout(command.timeout):
            yield Pipes(process.stdin, process.stdout)
            process.stdin.close()
            await process.wait()
    except TimeoutError as error:
        raise CommandFailed(command, None, []) from error
    finally:
        process.stdin.close()
        await _ask_to_end(process, grace)
        await _end(process)
        await errors_read


@dataclass(frozen=True)
class Running:
    """A command that runs beside a block."""

    _process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Also the id of its session and of its process group."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end, and return its status."""
        return await self._process.wait()


@contextlib.asynccontextmanager
async def running(
    command: Command,
    *,
    on_line: OnLine,
    stop_signal: signal.Signals = signal.SIGTERM,
    grace: float = 10.0,
) -> AsyncIterator[Running]:
    """Run a command beside the block, telling each line of both streams as it comes.

    It runs as long as the block does: its time-out is not used. When the block is left in any
    way, its session is told to end, and what is left of it is killed ``grace`` seconds later, or
    as soon as its leader has gone. Raises `errors.Unavailable` when the program is not there.
    """
    process = await _start(command)

    def heard(line: bytes) -> None:
        on_line(line.decode(errors="replace").rstrip("\r\n"))

    hearing = [
        asyncio.ensure_future(_read(stream, heard, None))
        for stream in (process.stdout, process.stderr)
    ]
    try:
        await _feed(process, command.stdin)
        yield Running(process)
    finally:
        try:
            await _ask_to_end(process, grace, stop_signal)
            # What it said last; a child in another session may hold the pipes open.
            await asyncio.wait(hearing, timeout=0.2)
        finally:
            for one in hearing:
                one.cancel()
            await _end(process)


async def _start(command: Command) -> asyncio.subprocess.Process:
    who: dict[str, Any] = {}
    if command.ids:
        user, group = command.ids
        who = {"user": user, "group": group, "extra_groups": ()}
    try:
        process = await asyncio.create_subprocess_exec(  # noqa: TID251 -- the one door to processes
            *command.argv,
            env=dict(command.env),
            cwd=command.cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=command.fds,
            **who,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise errors.Unavailable(
            f"`{command.argv[0]}` cannot be started: {error.strerror}."
        ) from error
    # A program may end without having read its input, before, while or after it is written; only
    # sometimes does drain() tell. A loss that nobody asks about would be logged later as if
    # something had gone wrong. wait_closed() is no way to ask: cancelled, it breaks what it awaits.
    closed = process._protocol._stdin_closed  # type: ignore[attr-defined]  # noqa: SLF001
    closed.add_done_callback(lambda told: told.cancelled() or told.exception())
    return process


async def _ask_to_end(
    process: asyncio.subprocess.Process,
    grace: float,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> None:
    """Programs such as git remove their locks when they are asked, and leave them when killed."""
    if process.returncode is None and process.pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, stop_signal)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), grace)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read(
    stream: asyncio.StreamReader | None, heard: Callable[[bytes], None], keep: list[bytes] | None
) -> None:
    assert stream
    rest = b""
    while chunk := await stream.read(LONGEST_LINE):
        if keep is not None:
            keep.append(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            heard(line[:LONGEST_LINE])
        rest = rest[:LONGEST_LINE]
    if rest:
        heard(rest)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the session, whether or not its leader is still there."""
    if process.pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    # Without this the wait is for the end of the output, which nobody reads any more and which
    # a child in another session may hold open; asyncio has no public way to let go of it.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    await process.wait()


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"
