from __future__ import annotations

import bz2
import struct

import bsdiff4
import hypothesis
import pytest
from hypothesis import strategies
from tests.fakes.expo_client import patches


def made(*triples: tuple[int, int, int], size: int, difference: bytes, extra: bytes) -> bytes:
    """Write a patch by the format's description: sign and magnitude, little-endian."""
    numbers = [number for triple in triples for number in triple]
    control = bz2.compress(b"".join(map(signed, numbers)))
    diff = bz2.compress(difference)
    header = b"BSDIFF40" + signed(len(control)) + signed(len(diff)) + signed(size)
    return header + control + diff + bz2.compress(extra)


def signed(number: int) -> bytes:
    return struct.pack("<Q", abs(number) | (number < 0) << 63)


def test_a_patch_made_by_hand_is_applied() -> None:
    patch = made((3, 2, 0), (2, 0, 0), size=7, difference=b"\0\0\0\1\0", extra=b"++")
    assert patches.apply(b"abcde", patch) == b"abc++ee"


@hypothesis.given(strategies.binary(max_size=500), strategies.binary(max_size=500))
def test_what_bsdiff_makes_is_applied(base: bytes, target: bytes) -> None:
    assert patches.apply(base, bsdiff4.diff(base, target)) == target


BAD = {
    "another magic": b"BSDIFF43" + made((1, 0, 0), size=1, difference=b"\0", extra=b"")[8:],
    "cut off": made((1, 0, 0), size=1, difference=b"\0", extra=b"")[:40],
    "empty": b"",
    "a negative copy": made((1, -1, 0), size=0, difference=b"\0", extra=b""),
    "a negative add": made((-1, 1, 0), size=0, difference=b"", extra=b"x"),
    "a length over int": made((1 << 31, 0, 0), size=1 << 31, difference=b"", extra=b""),
    "too little": made((1, 0, 0), size=2, difference=b"\0", extra=b""),
    "too short a difference": made((4, 0, 0), size=4, difference=b"\0", extra=b""),
    "half a triple": made((1, 0, 0), size=1, difference=b"\0", extra=b"").replace(
        bz2.compress(signed(1) + signed(0) + signed(0)), bz2.compress(signed(1) + signed(0))
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unsound_patch_is_corrupt(case: str) -> None:
    with pytest.raises(patches.Corrupt):
        patches.apply(b"abcde", BAD[case])
