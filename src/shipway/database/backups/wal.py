"""Write-ahead log as arithmetic: which segments a timeline consists of, and whether any is missing.

A segment's file name is three numbers of eight hexadecimal digits: timeline, and the position in
two halves. A timeline's history (``0000000N.history``) has a line for each timeline before it: its
number and the position at which it was left. See "Continuous Archiving" in PostgreSQL's manual.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

SEGMENT_BYTES = 16 * 1024**2
"""What initdb makes, unless it is told otherwise; we never tell it."""

_PER_FILE = 2**32 // SEGMENT_BYTES
_NAME = re.compile(r"[0-9A-F]{24}")
_LINE = re.compile(
    r"^\s*(?P<timeline>\d+)\s+(?P<high>[0-9A-Fa-f]+)/(?P<low>[0-9A-Fa-f]+)", re.MULTILINE
)

MOST_MISSING = 1000
"""Of a longer gap only the first segments are named."""


@dataclass(frozen=True, order=True)
class Segment:
    """16 MiB of log: ``number`` counts from the beginning of the cluster, across timelines."""

    number: int
    timeline: int

    @classmethod
    def named(cls, name: str) -> Segment:
        """Read a file's name. Raises `ValueError` for anything else."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no segment of write-ahead log")
        timeline, high, low = (int(name[at : at + 8], 16) for at in (0, 8, 16))
        return cls(number=high * _PER_FILE + low, timeline=timeline)

    def __str__(self) -> str:
        high, low = divmod(self.number, _PER_FILE)
        return f"{self.timeline:08X}{high:08X}{low:08X}"


@dataclass(frozen=True)
class Lineage:
    """A timeline with those that it came from. ``left`` holds each of them, the oldest first, with
    the number of the segment in which it was left."""

    timeline: int
    left: tuple[tuple[int, int], ...] = ()

    @classmethod
    def told(cls, timeline: int, history: str) -> Lineage:
        """Read the history of a timeline; the first one has none."""
        return cls(
            timeline,
            tuple(
                (int(line["timeline"]), _number(int(line["high"], 16), int(line["low"], 16)))
                for line in _LINE.finditer(history)
            ),
        )

    def segment(self, number: int) -> Segment:
        """Return the segment of that number on the way to this timeline.

        The one in which a timeline was left is written anew by its successor.
        """
        for timeline, left in self.left:
            if number < left:
                return Segment(number, timeline)
        return Segment(number, self.timeline)

    def has(self, segment: Segment) -> bool:
        """Whether the segment is on the way to this timeline, and not on a branch that was left.

        The one in which a timeline was left counts for either: a backup may have begun there.
        """
        left = dict(self.left)
        if segment.timeline in left:
            return segment.number <= left[segment.timeline]
        return self.segment(segment.number) == segment

    def from_to(self, first: Segment, last: Segment) -> Iterator[Segment]:
        """Tell every segment that leads from one to the other."""
        yield first
        for number in range(first.number + 1, last.number + 1):
            yield self.segment(number)
        if last.number == first.number and last != first:
            yield last


def _number(high: int, low: int) -> int:
    return (high * 2**32 + low) // SEGMENT_BYTES


def missing(
    first: Segment, last: Segment, present: Collection[Segment], lineage: Lineage
) -> tuple[Segment, ...]:
    """Return the segments between two that are needed and not there, both included."""
    lacking = []
    for segment in lineage.from_to(first, last):
        if segment not in present:
            lacking.append(segment)
            if len(lacking) == MOST_MISSING:
                break
    return tuple(lacking)


def reach(first: Segment, present: Collection[Segment], lineage: Lineage) -> Segment | None:
    """Return the last segment that can be replayed from ``first`` on; None when that is missing."""
    if first not in present:
        return None
    at = first
    while (following := lineage.segment(at.number + 1)) in present:
        at = following
    # Where the log ends in the segment in which its timeline was left, the successor may have it.
    successor = lineage.segment(at.number)
    return successor if successor in present else at
