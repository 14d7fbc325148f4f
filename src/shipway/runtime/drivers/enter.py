"""Joins control groups, steps behind the apps, then becomes another command:
``enter.py FOLDER… -- COMMAND…``.

A program of its own, because nothing may run between the fork and the joining; it imports
nothing of Shipway, so that it starts at once.
"""

from __future__ import annotations

import os
import sys

NICENESS = 10
"""Where no control group shares the processor out: apps run at 0."""

FIRST_TO_GO = "500"
"""When the machine itself is out of memory, the kernel ends a build before an app."""


def main(words: list[str]) -> None:
    split = words.index("--")
    for folder in words[:split]:
        _write(f"{folder}/cgroup.procs", "0")
    os.nice(NICENESS)
    _write("/proc/self/oom_score_adj", FIRST_TO_GO)
    os.execvp(words[split + 1], words[split + 1 :])  # noqa: S606 -- the words are the keeper's own


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 -- pathlib is slow to import
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
