"""The logs of runs: a file for each step, written line by line, read while it grows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from shipway.builds import model
from shipway.kit import clock, errors
from shipway.kit.mask import Mask

LARGEST = 16 * 1024 * 1024
"""Bytes of one step's log; what comes after is dropped, and the log says so."""

LONGEST_LINE = 8 * 1024
READ_AT_ONCE = 256 * 1024

CUT = "… the rest of the output is not kept: the log has reached its size limit."

_NOTIFY_SECONDS = 0.2
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = {code: None for code in (*range(9), *range(10, 32), *range(127, 160))}  # noqa: C420 -- a table

_COLOURS = re.compile(r"(\x1b\[(?:[0-9]{1,3}(?:;[0-9]{1,3}){0,7})?m)")

Notify = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Piece:
    """A part of a log: whole lines, each ``2026-11-23T01:56:15.123Z text``, and where it ends."""

    lines: Sequence[str]
    offset: int


@dataclass(frozen=True)
class Window:
    """Lines of a log with their numbers, from 1, and their colours as escape sequences.

    ``total`` lines are there; ``offset`` is where the last of all ends.
    """

    lines: Sequence[tuple[int, str]]
    total: int
    offset: int


class Logs:
    """The logs below ``folder``. ``notify`` is told a run's id when there are new lines."""

    def __init__(self, folder: pathlib.Path, notify: Notify | None = None) -> None:
        self._folder = folder
        self._notify = notify

    @contextlib.asynccontextmanager
    async def writing(self, run: str, step: str, mask: Mask) -> AsyncIterator[Callable[[str], str]]:
        """Append to a step's log: the block is given a function that takes a line, and returns
        what can be told of it: without what ``mask`` hides, and not too long.

        A step that runs again goes on where its log ends.
        """
        path = self._path(run, step)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        writer = _Writer(path, mask, self._teller(run))
        try:
            yield writer
        finally:
            writer.close()
            if self._notify:
                await self._notify(run)

    def read(self, run: str, step: str, offset: int = 0) -> Piece:
        """Return the whole lines from an offset on, about 256 KiB at most, without colours.

        Reading from the offset of the last piece goes on where that one ended. A step without
        a log has no lines.
        """
        piece = self.tail(run, step, offset)
        return Piece(tuple(_plain(line) for line in piece.lines), piece.offset)

    def tail(self, run: str, step: str, offset: int) -> Piece:
        """Return the same with colours, as escape sequences."""
        try:
            with self._path(run, step).open("rb") as file:
                file.seek(max(offset, 0))
                data = file.read(READ_AT_ONCE)
        except FileNotFoundError:
            return Piece((), 0)
        whole = data[: data.rfind(b"\n") + 1]
        return Piece(whole.decode(errors="replace").split("\n")[:-1], max(offset, 0) + len(whole))

    def window(self, run: str, step: str, *, first: int, count: int) -> Window:
        """Return so many lines from the number ``first`` on; with 0, the last ones."""
        data, lines = self._lines(run, step)
        start = max(first - 1, 0) if first else max(len(lines) - count, 0)
        shown = lines[start : start + count]
        return Window(_numbered(shown, start + 1), len(lines), len(data))

    def find(self, run: str, step: str, text: str, *, most: int) -> tuple[Window, int]:
        """Return the first ``most`` lines that hold a text, in any case, and how many do."""
        data, lines = self._lines(run, step)
        wanted = text.casefold()
        found = [
            (number, line)
            for number, line in _numbered(lines, 1)
            if wanted in _plain(line).casefold()
        ]
        return Window(found[:most], len(lines), len(data)), len(found)

    def _lines(self, run: str, step: str) -> tuple[bytes, list[bytes]]:
        try:
            data = self._path(run, step).read_bytes()
        except FileNotFoundError:
            return b"", []
        whole = data[: data.rfind(b"\n") + 1]
        return whole, whole.split(b"\n")[:-1]

    def _path(self, run: str, step: str) -> pathlib.Path:
        if not re.fullmatch(r"\w+", run):
            raise errors.Invalid(f"{run!r} is not the id of a run.")
        return self._folder / run / f"{model.slug(step)}.log"

    def _teller(self, run: str) -> Callable[[], None]:
        """Return a function that tells of news soon, and once for all that come meanwhile."""
        notify = self._notify
        if notify is None:
            return lambda: None
        loop = asyncio.get_running_loop()
        pending: set[asyncio.Task[None]] = set()

        async def tell() -> None:
            await asyncio.sleep(_NOTIFY_SECONDS)
            with contextlib.suppress(errors.Unavailable):  # the next line tells again
                await notify(run)

        def soon() -> None:
            if not pending:
                task = loop.create_task(tell())
                pending.add(task)
                task.add_done_callback(pending.discard)

        return soon


class _Writer:
    """Writes lines with their times to a file that its group may read."""

    def __init__(self, path: pathlib.Path, mask: Mask, changed: Callable[[], None]) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._left = LARGEST - os.fstat(self._file).st_size
        self._mask = mask
        self._changed = changed

    def __call__(self, line: str) -> str:
        # Hidden before it is cut: half a secret is one that no mask knows.
        told = self._masked(line)[:LONGEST_LINE]
        if self._left > 0:
            data = _line(told)
            self._left -= len(data)
            os.write(self._file, data if self._left > 0 else _line(CUT))
            self._changed()
        return readable(told)

    def _masked(self, line: str) -> str:
        """Return a line with its colours, unless it holds a secret: colours could hide one."""
        plain = readable(line)
        masked = self._mask(plain)
        return coloured(line) if masked == plain else masked

    def close(self) -> None:
        os.close(self._file)


def readable(line: str) -> str:
    """Return a line without what would colour, move or hide things on the reader's terminal."""
    return _ESCAPES.sub("", line).translate(_CONTROLS)


def coloured(line: str) -> str:
    """Return a readable line with the sequences that colour it, and no others."""
    if "\x1b" not in line:
        return readable(line)
    parts = _COLOURS.split(line)
    return "".join(part if _COLOURS.fullmatch(part) else readable(part) for part in parts)


def _plain(line: str) -> str:
    """Return a line of a log without colours: who reads it may be a terminal, or a program."""
    return readable(line) if "\x1b" in line else line


def _numbered(lines: Sequence[bytes], first: int) -> Sequence[tuple[int, str]]:
    return [(number, line.decode(errors="replace")) for number, line in enumerate(lines, first)]


def _line(text: str) -> bytes:
    moment = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{moment} {text}\n".encode(errors="replace")
