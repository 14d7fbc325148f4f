"""Hides secrets in what a program says: in a text, in a flow of pieces, and as a program.

``mask.py FILE COMMAND…`` runs a command and hands on what it reads itself, without the texts
that FILE has, one on each line. It is copied to where it runs, for the Python of the machine:
so it imports nothing of Shipway, and little else.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterable

SHORTEST = 8
"""Shorter texts are not hidden: they would eat ordinary words."""

HIDDEN = "***"

_MOST = 5000
"""Texts that a mask knows: those told last. So a process that never ends does not grow."""
_UNFINISHED = 64 * 1024
"""Characters of a line without an end that are held back, at most."""


class Mask:
    """Replaces every text that it has been told of by ``***``; of a text with several lines also
    each line, for logs are read and written line by line."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: dict[str, None] = {}
        self._longest_first: tuple[str, ...] = ()
        self.add(texts)

    def add(self, texts: Iterable[str]) -> None:
        """Hide these from now on, too."""
        for line in (line for text in texts for line in (text, *text.splitlines())):
            if len(line) >= SHORTEST:
                self._texts.pop(line, None)
                self._texts[line] = None
        while len(self._texts) > _MOST:
            del self._texts[next(iter(self._texts))]
        # So that a text which contains another is hidden whole.
        self._longest_first = tuple(sorted(self._texts, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for hidden in self._longest_first:
            text = text.replace(hidden, HIDDEN)
        return text

    def begun(self, text: str) -> tuple[str, str]:
        """Hide what can be told from the beginning of a text.

        Returns that part, and the rest, to be put before what follows: a secret may begin there.
        """
        if not self._longest_first:
            return text, ""
        at, sure = 0, len(text) - len(self._longest_first[0]) + 1
        told = []
        for one in re.finditer("|".join(map(re.escape, self._longest_first)), text):
            if one.start() >= sure:
                break
            told += [text[at : one.start()], HIDDEN]
            at = one.end()
        cut = max(at, sure)
        return "".join([*told, text[at:cut]]), text[cut:]


class Flow:
    """Hides in what comes in pieces, wherever they are cut. A line waits for its end, a very
    long one only for what could belong to a secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._rest = ""

    def feed(self, piece: str) -> str:
        """Take a piece, and return what can be told by now."""
        whole, end, self._rest = (self._rest + piece).rpartition("\n")
        told = self._mask(whole + end)
        if len(self._rest) > _UNFINISHED:
            begun, self._rest = self._mask.begun(self._rest)
            told += begun
        return told

    def end(self) -> str:
        """Return the rest."""
        told, self._rest = self._mask(self._rest), ""
        return told


def main(file: str, command: list[str]) -> int:
    """Run the command and feed it. Returns when the input ends, or the command does."""
    with open(file, "rb") as texts:  # noqa: PTH123 -- pathlib is slow to import
        # Every byte is a character of Latin-1: nothing is lost, whatever the program says.
        flow = Flow(Mask(texts.read().decode("latin-1").split("\n")))
    reading, writing = os.pipe()
    child = os.posix_spawnp(
        command[0],
        command,
        os.environ,  # noqa: TID251 -- handed on, not read
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)],
        setsigdef=[signal.SIGPIPE],  # which Python ignores
    )
    os.close(reading)
    # Whoever keeps us starts both again.
    signal.signal(signal.SIGCHLD, lambda *_: sys.exit(1))
    with open(writing, "wb", buffering=0) as out:  # noqa: PTH123 -- a descriptor
        while piece := os.read(0, _UNFINISHED):
            _write(out.fileno(), flow.feed(piece.decode("latin-1")))
        _write(out.fileno(), flow.end())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _write(file: int, text: str) -> None:
    data = text.encode("latin-1")
    while data:
        data = data[os.write(file, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
