"""How a workflow ended: a sentence, and whether it is good news."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The end of a workflow, as its parent and the record see it."""

    good: bool
    sentence: str
