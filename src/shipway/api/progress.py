"""A run's events as the lines that a person sees after `git push`."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator

from shipway.client import wire

TAIL = 20
"""The last lines of a failing step that are shown."""


class Progress:
    """Turns events into lines, in order."""

    def __init__(self) -> None:
        self._tails: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=TAIL))
        self._running: set[str] = set()

    def lines(self, event: wire.Event) -> Iterator[str]:
        match event:
            case wire.Event(kind="log", name=name, line=line):
                self._tails[name].append(line)
            case wire.Event(kind="step", step=wire.Step() as step):
                yield from self._of_step(step)
            case wire.Event(kind="run", run=wire.Run() as run) if run.over:
                yield ""
                yield from (run.sentence or f"The run {run.state}.").splitlines()
                if run.state == "failed":
                    yield f"Every line: shipway logs {run.id}"

    def _of_step(self, step: wire.Step) -> Iterator[str]:
        if step.state == "running" and step.name not in self._running:
            self._running.add(step.name)
            yield f"  {step.name} ..."
        elif step.state == "succeeded":
            yield f"  {step.name}: {'unchanged' if step.cached else 'done' + _after(step)}"
        elif step.state in {"failed", "refused"}:
            yield f"  {step.name}: {step.state}{_after(step)}"
            # A log line begins with its moment, which says nothing here.
            yield from (f"    | {line.partition(' ')[2]}" for line in self._tails[step.name])


def _after(step: wire.Step) -> str:
    if not (step.started and step.ended):
        return ""
    seconds = (step.ended - step.started).total_seconds()
    if seconds < 60:
        return f" in {seconds:.1f} s"
    return f" in {int(seconds // 60)} min {int(seconds % 60)} s"
