"""Work shown while it happens: a picture that redraws itself on a terminal, else plain lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shipway.cli import output
from shipway.cli.session import Session
from shipway.client import wire
from shipway.client.client import Client
from shipway.kit import clock, errors

MARKS = {"succeeded": "✓", "failed": "✗", "waiting": "·", "cancelled": "-"}


async def run(session: Session, client: Client, run_id: str) -> wire.Run:
    """Show a run until it is over, and return it. Leaving does not end it."""
    picture = Picture()
    with detachable(session, f"{run_id} goes on. `shipway logs -f {run_id}` comes back to it."):
        with _shown(session, picture.render):
            async for event in client.follow(run_id):
                line = picture.heard(event)
                if line and not session.out.live:
                    session.out.say(line)
        return picture.run or await client.run(run_id)


async def deployment(session: Session, client: Client, begun: wire.Deployment) -> wire.Deployment:
    """Show a deployment until it is over, and return it. Leaving does not end it."""
    latest = begun

    def render() -> RenderableType:
        return Spinner("dots", output.harmless(sentence(latest)))

    hint = f"The deployment goes on. `shipway deployments {begun.environment} -f` comes back."
    with detachable(session, hint), _shown(session, render, stays=False):
        async for latest in client.follow_deployment(begun):
            if not session.out.live and not latest.over:
                session.out.say(sentence(latest))
    return latest


def sentence(deployment: wire.Deployment) -> str:
    """Return what a deployment says of itself, or what its state says."""
    state = deployment.state.replace("_", " ")
    return deployment.sentence or f"{deployment.environment}: {deployment.version} is {state}."


def conclude_run(session: Session, run: wire.Run) -> None:
    """Print how a run ended. Raises the error of its state unless it succeeded."""
    said = run.sentence or f"{run.id} {run.state}."
    match run.state:
        case "succeeded":
            session.out.say(said, "green")
        case "refused":
            raise errors.Refused(said)
        case "cancelled":
            raise errors.Conflict(said)
        case _:
            raise errors.Failed(said, fix=f"`shipway logs {run.id}` shows every line.")


def conclude_deployment(session: Session, deployment: wire.Deployment) -> None:
    """Print how a deployment ended. Raises `errors.Failed` unless its release is live."""
    if deployment.state == "live":
        session.out.say(sentence(deployment), "green")
    else:
        raise errors.Failed(sentence(deployment), fix="`shipway status` shows what is live now.")


class Picture:
    """A run as far as it was heard of."""

    def __init__(self) -> None:
        self.run: wire.Run | None = None
        self._steps: dict[str, wire.Step] = {}
        self._said: set[str] = set()

    def heard(self, event: wire.Event) -> str:
        """Take in an event, and return it as a line when it says something new."""
        if event.run:
            self.run = event.run
        if not event.step:
            return ""
        self._steps[event.step.name] = event.step
        line = step_line(event.step)
        if event.step.state == "waiting" or line in self._said:
            return ""
        self._said.add(line)
        return line

    def render(self) -> RenderableType:
        """Return the picture: one line for each step, and what the run says while it goes on."""
        table = Table.grid(padding=(0, 1))
        for step in self._steps.values():
            mark = MARKS.get(step.state)
            shown = Text(mark, style=output.STYLES[step.state]) if mark else Spinner("dots")
            table.add_row(shown, step.name, Text(_spent(step), style="dim"), _aside(step))
        if self.run and self.run.over:
            return table
        said = self.run.sentence if self.run else "Connecting…"
        return Group(table, output.harmless(said, "bold"))


def step_line(step: wire.Step) -> str:
    """Return a step in one line: ``test api: succeeded in 4.1 s``."""
    cached = ", from the cache" if step.cached else ""
    spent = f" in {_spent(step)}" if step.ended else ""
    said = f". {step.sentence}" if step.sentence and step.state == "failed" else ""
    return f"{step.name}: {step.state}{spent}{cached}{said}"


def _spent(step: wire.Step) -> str:
    if not step.started:
        return ""
    return output.span((step.ended or clock.now()) - step.started)


def _aside(step: wire.Step) -> Text:
    return output.harmless("cached" if step.cached else step.sentence, "dim")


@contextlib.contextmanager
def _shown(
    session: Session, render: Callable[[], RenderableType], *, stays: bool = True
) -> Iterator[None]:
    if not session.out.live:
        yield
        return
    console = session.out.out
    with Live(console=console, get_renderable=render, refresh_per_second=8, transient=not stays):
        yield


@contextlib.contextmanager
def detachable(session: Session, hint: str) -> Iterator[None]:
    """Say on Ctrl-C that the work goes on without us, and how to come back."""
    try:
        yield
    except asyncio.CancelledError:
        session.out.note(hint)
        raise
