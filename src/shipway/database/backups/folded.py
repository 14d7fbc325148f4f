"""Runs a command and prints what it printed in lines of a bounded length, marked as such.

pgBackRest tells its catalogue in one line, which may be longer than a line that is passed on. What
it prints on standard error is passed on unmarked.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from shipway.kit import command, errors

LONGEST = 32_000
MARK = "="
TIMEOUT = 3600.0


def argv(*words: str) -> tuple[str, ...]:
    """Return the command that runs this one folded."""
    return (sys.executable, "-P", "-m", __name__, *words)


def unfold(lines: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return what the command printed, and what it said besides."""
    printed = "".join(line.removeprefix(MARK) for line in lines if line.startswith(MARK))
    return printed, tuple(line for line in lines if not line.startswith(MARK))


async def main(words: Sequence[str]) -> int:
    wanted = command.Command(argv=tuple(words), env=command.everything_inherited(), timeout=TIMEOUT)
    try:
        done = await command.run(wanted, check=False)
    except errors.ShipwayError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- a program's output
        return 1
    for at in range(0, len(done.output), LONGEST):
        print(f"{MARK}{done.output[at : at + LONGEST]}".rstrip("\n"))  # noqa: T201 -- likewise
    if done.status:
        print(*done.last_lines, sep="\n", file=sys.stderr)  # noqa: T201 -- likewise
    return done.status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
