"""Joins control groups, then becomes another command: ``enter.py FOLDER… -- COMMAND…``.

A program of its own, because nothing may run between the fork and the joining; it imports
nothing of Shipway, so that it starts at once.
"""

from __future__ import annotations

import os
import sys


def main(words: list[str]) -> None:
    split = words.index("--")
    for folder in words[:split]:
        with open(f"{folder}/cgroup.procs", "w") as file:  # noqa: PTH123 -- pathlib is slow to import
            file.write("0")
    os.execvp(words[split + 1], words[split + 1 :])  # noqa: S606 -- the words are the keeper's own


if __name__ == "__main__":
    main(sys.argv[1:])
