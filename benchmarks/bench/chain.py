"""The longest chain of steps, and what a pipeline needs beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Something with a name that lasted. Moments are in seconds."""

    name: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def longest(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return the chain, one span after the other, that takes the most time in all."""
    best: list[tuple[float, tuple[Span, ...]]] = []
    for span in sorted(spans, key=lambda one: (one.ended, one.began)):
        before = max(
            (found for found in best if found[1][-1].ended <= span.began),
            key=lambda found: found[0],
            default=(0.0, ()),
        )
        best.append((before[0] + span.seconds, (*before[1], span)))
    return max(best, key=lambda found: found[0], default=(0.0, ()))[1]


def overhead(total: float, spans: Sequence[Span]) -> float:
    """Return which part of the chain's time was spent besides it."""
    return total / sum(span.seconds for span in spans) - 1


def gaps(began: float, chain: Sequence[Span], ended: float) -> dict[str, float]:
    """Return the seconds between the spans of a chain, by what was waited for."""
    moments = [began, *(span.ended for span in chain)]
    begins = [*(span.began for span in chain), ended]
    names = [*(span.name for span in chain), "the end"]
    return {
        name: begin - moment for name, moment, begin in zip(names, moments, begins, strict=True)
    }
