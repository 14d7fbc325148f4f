"""Running an app from its clone: no server of Shipway's is needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

import click
from rich.text import Text

from shipway.cli import options, output
from shipway.cli.session import Session, verb
from shipway.kit import errors

COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
PORT = click.IntRange(1, 65535)
WIDTH = 10
"""Columns that names take; a longer one makes its own lines longer."""


@options.examples("shipway dev", "shipway dev --lan", "shipway dev --port 5001 --no-client")
@click.command()
@click.option(
    "--port", type=PORT, default=5000, show_default=True, help="Where the server listens."
)
@click.option(
    "--client-port", type=PORT, default=8081, show_default=True, help="Where Expo listens."
)
@click.option("--lan", is_flag=True, help="Let a phone on the same network reach both.")
@click.option("--fresh", is_flag=True, help="Begin with an empty database.")
@click.option("--no-client", is_flag=True, help="Run no Expo dev server.")
@verb
async def dev(
    session: Session, *, port: int, client_port: int, lan: bool, fresh: bool, no_client: bool
) -> None:
    """Run this clone's app: database, server and Expo.

    Needs PostgreSQL's programs, and what the app itself is made with (Node, uv). Missing
    dependencies are installed, migrations are applied, and changes of sources take effect at
    once. State is kept in .shipway/dev; .env beside shipway.toml gives variables their values.
    """
    if os.name != "posix":
        raise errors.Unavailable("`shipway dev` needs Linux or macOS.", fix="On Windows, use WSL.")
    from shipway.local import clone, model, stack  # noqa: PLC0415 -- fcntl is not everywhere

    wanted = model.Options(
        port=port, client_port=client_port, lan=lan, fresh=fresh, client=not no_client
    )
    told = stack.Told(line=Lines(session.out), coloured=session.out.live)
    running = stack.Stack(clone.Clone.around(session.folder), wanted, told).run()
    work = asyncio.ensure_future(running)
    with _ended_by_signals(work), contextlib.suppress(asyncio.CancelledError):
        await work
    session.out.say("Everything has ended.")


@contextlib.contextmanager
def _ended_by_signals(work: asyncio.Future[None]) -> Iterator[None]:
    """Let Ctrl-C, a closed terminal and a plain kill end the work; a second one hurries it."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, work.cancel)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


class Lines:
    """Prints each line behind the name of who said it, each name in a colour of its own."""

    def __init__(self, out: output.Output) -> None:
        self._out = out
        self._colours: dict[str, str] = {"shipway": "bold"}

    def __call__(self, name: str, line: str) -> None:
        if name not in self._colours:
            self._colours[name] = COLOURS[(len(self._colours) - 1) % len(COLOURS)]
        label = (f"{name:<{WIDTH}} | ", self._colours[name])
        self._out.out.print(Text.assemble(label, output.harmless(line)))
