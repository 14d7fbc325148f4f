"""What the doctor says: findings, how bad they are, and what mends them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Literal

import pydantic


class Weight(enum.StrEnum):
    """How bad a finding is."""

    WRONG = "wrong"
    """Something does not work, or is not safe."""
    DOUBTFUL = "doubtful"
    """It works, and will not for long, or wants a look."""
    GIVEN_UP = "given up"
    """What this way of running Shipway does without."""
    FINE = "fine"


class Remedy(pydantic.BaseModel):
    """What ``--fix`` does. Nothing of it touches data, a running process or another Shipway."""

    model_config = pydantic.ConfigDict(frozen=True)

    kind: Literal["mode", "owner", "user", "folder", "group", "end run"]
    target: str
    """A path, a user's name or a run's id."""
    mode: int = 0
    uid: int = 0
    gid: int = 0


class Finding(pydantic.BaseModel):
    """One thing that was looked at: a sentence with the evidence, and how to mend it."""

    model_config = pydantic.ConfigDict(frozen=True)

    part: str
    weight: Weight
    sentence: str
    mend: str = ""
    remedy: Remedy | None = None


class Report(pydantic.BaseModel):
    """Everything that was looked at. ``mended`` tells what ``--fix`` has done."""

    model_config = pydantic.ConfigDict(frozen=True)

    findings: tuple[Finding, ...]
    mended: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return self.only(Weight.WRONG)

    def only(self, weight: Weight) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.weight is weight)


def fine(part: str, sentence: str) -> Finding:
    return Finding(part=part, weight=Weight.FINE, sentence=sentence)


def wrong(part: str, sentence: str, mend: str, remedy: Remedy | None = None) -> Finding:
    return Finding(part=part, weight=Weight.WRONG, sentence=sentence, mend=mend, remedy=remedy)


def doubtful(part: str, sentence: str, mend: str, remedy: Remedy | None = None) -> Finding:
    return Finding(part=part, weight=Weight.DOUBTFUL, sentence=sentence, mend=mend, remedy=remedy)


def listed(things: Iterable[object], most: int = 8) -> str:
    """Return things as words, the first ones where there are many."""
    words = [str(thing) for thing in things]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
