"""Patches as the clients apply them: classic BSDIFF40, within the limits of Expo's ``bspatch``."""

from __future__ import annotations

import bz2
import struct

import bsdiff4

MAGIC = b"BSDIFF40"
HEADER = 32
INT_MAX = 2**31 - 1


class Corrupt(ValueError):
    """The client's bspatch would refuse this patch."""


def apply(base: bytes, patch: bytes) -> bytes:
    """Apply a patch. Raises `Corrupt`."""
    control_size, difference_size, target_size = _header(patch)
    try:
        control = bz2.decompress(patch[HEADER : HEADER + control_size])
        difference = patch[HEADER + control_size : HEADER + control_size + difference_size]
        extra = patch[HEADER + control_size + difference_size :]
        _check(control, target_size, len(bz2.decompress(difference)), len(bz2.decompress(extra)))
        result = bsdiff4.patch(base, patch)
    except (OSError, ValueError) as error:
        raise Corrupt(str(error)) from error
    if len(result) != target_size:
        raise Corrupt("the result has another length than the header says")
    return bytes(result)


def _header(patch: bytes) -> tuple[int, int, int]:
    if len(patch) < HEADER or patch[:8] != MAGIC:
        raise Corrupt("no BSDIFF40")
    control, difference, target = (
        _signed(number) for number in struct.unpack_from("<3Q", patch, 8)
    )
    if min(control, difference, target) < 0 or HEADER + control + difference > len(patch):
        raise Corrupt("the lengths of the header do not fit the patch")
    return control, difference, target


def _check(control: bytes, target: int, difference: int, extra: int) -> None:
    """Check the control triples: how much to add, how much to copy, how far to seek."""
    added = copied = 0
    if len(control) % 24:
        raise Corrupt("the control block is cut off")
    for at in range(0, len(control), 24):
        add, copy, _ = (_signed(number) for number in struct.unpack_from("<3Q", control, at))
        if not 0 <= add <= INT_MAX or not 0 <= copy <= INT_MAX:
            raise Corrupt("a length is negative or too great for an int")
        added, copied = added + add, copied + copy
    if added + copied != target or added > difference or copied > extra:
        raise Corrupt("the control block does not add up to the target")


def _signed(number: int) -> int:
    """Read an integer that has its sign in the highest bit."""
    return -(number & ~(1 << 63)) if number >> 63 else number
