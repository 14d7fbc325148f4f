"""``python -m shipway.updates.bsdiff BASE TARGET PATCH``: make a patch and prove it.

In a process of its own, because making one takes memory and time that can be bounded there.
The format is the classic BSDIFF40: Expo's clients apply no other.
"""

from __future__ import annotations

import pathlib
import struct
import sys

import bsdiff4

MAGIC = b"BSDIFF40"


def make(base: bytes, target: bytes) -> bytes:
    """Return a patch. Raises `ValueError` when applying it does not give the target."""
    patch: bytes = bsdiff4.diff(base, target)
    if patch[:8] != MAGIC or struct.unpack("<q", patch[24:32])[0] != len(target):
        raise ValueError("this is no patch that a device could apply")
    if bsdiff4.patch(base, patch) != target:
        raise ValueError("applying the patch gives something else")
    return patch


def main() -> None:
    base, target, patch = (pathlib.Path(name) for name in sys.argv[1:4])
    patch.write_bytes(make(base.read_bytes(), target.read_bytes()))


if __name__ == "__main__":
    main()
