"""Logs of runs, there already or as they come."""

from __future__ import annotations

from dataclasses import dataclass

import click

from shipway.cli import follow, options
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.client.client import Client
from shipway.kit import errors


@options.examples("shipway logs -f", 'shipway logs run_01jd3k9f7m2q8x4t "test api"')
@click.command()
@click.argument("run", default="")
@click.argument("step", default="")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as lines come.")
@click.option("-t", "--times", is_flag=True, help="Begin each line with its moment.")
@options.app
@options.as_json
@verb
async def logs(
    session: Session,
    run: str,
    step: str,
    app: str | None,
    *,
    following: bool,
    times: bool,
    as_json: bool,
) -> None:
    """Print the log of a run or of one step.

    Without RUN it is the newest run of the app; without STEP it is every step. With --json each
    line is one event, as `GET /v1/runs/{run}/events` has them.
    """
    async with session.client() as client:
        reader = Reader(session, client, times=times, as_json=as_json)
        run = run or await _newest(session, client, app)
        if step:
            await reader.step(run, step, following=following)
        elif following:
            await reader.as_it_comes(run)
        else:
            await reader.everything(run)


@dataclass(frozen=True)
class Reader:
    """Prints lines. Each comes with its moment, which is cut off unless ``times``; as JSON all
    that is known of it is printed."""

    session: Session
    client: Client
    times: bool
    as_json: bool

    async def step(self, run: str, step: str, *, following: bool = False) -> None:
        async for line in self.client.step_log(run, step, follow=following):
            self._say(wire.Event(kind="log", name=step, line=line), self._told(line))

    async def everything(self, run: str) -> None:
        found = await self.client.run(run)
        for step in found.steps:
            self._say(wire.Event(kind="step", step=step), follow.step_line(step), "bold")
            if step.started:
                await self.step(run, step.name)
        self._say(wire.Event(kind="run", run=found), found.sentence)

    async def as_it_comes(self, run: str) -> None:
        """Print what happens until the run is over. Raises the error of how it ended."""
        picture = follow.Picture()
        hint = f"{run} goes on. `shipway logs -f {run}` comes back to it."
        with follow.detachable(self.session, hint):
            async for event in self.client.follow(run):
                line = self._line(picture, event)
                if line or (self.as_json and event.run):
                    self._say(event, line, "bold" if event.step else "")
        if picture.run and not (self.as_json and picture.run.state == "succeeded"):
            follow.conclude_run(self.session, picture.run)

    def _say(self, event: wire.Event, line: str, style: str = "") -> None:
        if self.as_json:
            self.session.out.event(event)
        else:
            self.session.out.say(line, style)

    def _line(self, picture: follow.Picture, event: wire.Event) -> str:
        if event.kind == "log":
            return f"{event.name} | {self._told(event.line)}"
        return picture.heard(event)

    def _told(self, line: str) -> str:
        return line if self.times else line.partition(" ")[2]


async def _newest(session: Session, client: Client, app: str | None) -> str:
    name = session.app(app)
    page = await client.runs(name, limit=1)
    if not page.items:
        raise errors.NotFound(f"{name} has no run yet.", fix="`shipway deploy` starts one.")
    return page.items[0].id
