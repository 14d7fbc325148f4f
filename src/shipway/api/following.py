"""A run as a stream of events: what changed since a cursor, then what changes, until it is over."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Self

from shipway.api import shapes
from shipway.builds import records
from shipway.builds.model import StepRecord
from shipway.client import wire
from shipway.kit import errors
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform

BEAT = 10.0
"""Seconds after which a quiet stream shows that it is alive."""


@dataclass
class Seen:
    """What a reader has been told: marks of the run's state and each step's, and how far into
    each log."""

    run: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Raises `errors.Invalid` for what is no cursor."""
        if not cursor:
            return cls()
        try:
            run, steps, offsets = json.loads(base64.urlsafe_b64decode(cursor))
            return cls(
                int(run),
                {str(name): int(state) for name, state in steps.items()},
                {str(name): int(offset) for name, offset in offsets.items()},
            )
        except (binascii.Error, ValueError, TypeError, AttributeError) as error:
            raise errors.Invalid("This is not a cursor of a run's events.") from error

    @property
    def cursor(self) -> str:
        text = json.dumps([self.run, self.steps, self.offsets], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()


async def follow(
    run: str, seen: Seen, on: ApiPlatform, notices: Notices
) -> AsyncIterator[wire.Event]:
    """Tell what is new, again and again until the run is over or the API stops.

    Each look ends with an event that carries the cursor.
    """
    with notices.of(records.CHANNEL, run) as notice:
        while True:
            held: wire.Event | None = None
            async for event in _news(run, seen, on):
                if held:
                    yield held
                held = event
            held = held or wire.Event(kind="beat")
            yield held.model_copy(update={"cursor": seen.cursor})
            if (held.run and held.run.over) or notices.closed:
                return
            await notice.wait(BEAT)


async def _news(run: str, seen: Seen, on: ApiPlatform) -> AsyncIterator[wire.Event]:
    """Tell what changed. The run is read first and told last: when it is over, so is all else."""
    found = await on.runs.get(run)
    for step in await on.runs.steps(run):
        async for event in _news_of_step(step, seen, on):
            yield event
    if (state := _mark(found.state, found.sentence)) != seen.run or found.state.is_final:
        seen.run = state
        yield wire.Event(kind="run", run=shapes.run(found))


async def _news_of_step(step: StepRecord, seen: Seen, on: ApiPlatform) -> AsyncIterator[wire.Event]:
    """A step that ended is told after its last line, any other before its lines."""
    state = _mark(step.state, step.sentence)
    event = (
        wire.Event(kind="step", step=shapes.step(step))
        if seen.steps.get(step.name) != state
        else None
    )
    if event and not step.state.is_final:
        yield event
    async for line in lines(step.run, step.name, seen, on):
        yield wire.Event(kind="log", name=step.name, line=line)
    if event and step.state.is_final:
        yield event
    seen.steps[step.name] = state


async def lines(run: str, step: str, seen: Seen, on: ApiPlatform) -> AsyncIterator[str]:
    """Tell the lines of a step's log that have not been seen."""
    while True:
        piece = await asyncio.to_thread(on.logs.read, run, step, seen.offsets.get(step, 0))
        if not piece.lines:
            return
        for line in piece.lines:
            yield line
        seen.offsets[step] = piece.offset


def _mark(state: str, sentence: str) -> int:
    """Return a number that is another one when the state or the sentence is."""
    return zlib.crc32(f"{state} {sentence}".encode()) or 1
