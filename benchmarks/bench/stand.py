"""A Shipway of its own with the tiny app, for one benchmark; gone when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from demo.load import Load
from demo.stage import Failed, Stage

from bench import figures
from shipway.kit import settings

TINY = pathlib.Path(__file__).parents[2] / "tests" / "apps" / "tiny"
VERSION = "server/tiny/__init__.py"
SERVER = "api.tiny.localhost"

Measure = Callable[[Stage], Awaitable[dict[str, Any]]]


def run(name: str, measure: Measure, *, longest_seconds: float, extra: Sequence[str] = ()) -> int:
    """Measure on a fresh stage, print the figures, and return the exit status."""
    before = os.getloadavg()
    found = asyncio.run(_measured(measure, longest_seconds, extra))
    figures.end(name, found, before)
    return 0 if "error" not in found else 1


async def _measured(measure: Measure, longest: float, extra: Sequence[str]) -> dict[str, Any]:
    async with standing(extra) as stage:
        try:
            async with asyncio.timeout(longest):
                return await measure(stage)
        except (Failed, TimeoutError) as error:
            stage.show_logs()
            return {"error": str(error) or f"It took longer than {longest:g} seconds."}


@contextlib.asynccontextmanager
async def standing(extra: Sequence[str] = ()) -> AsyncIterator[Stage]:
    """Give a stage that is set up, with the tiny app pushed nowhere yet."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-bench-", dir="/var/tmp"))
    stage = Stage.fresh(home, TINY, quiet=True)
    try:
        say("setting up a Shipway of its own")
        await stage.set_up(settings=extra)
        await stage.create_app()
        yield stage
    finally:
        await stage.end()


async def release(stage: Stage, version: str) -> None:
    """Deliver a version of the tiny app and bring it to production."""
    if version != "1":
        await change_version(stage, version)
    say(f"delivering version {version}")
    await stage.deliver()
    await stage.promote()


async def change_version(stage: Stage, version: str) -> None:
    """Commit a change of one line."""
    await stage.commit(
        VERSION,
        lambda text: re.sub(
            r'^VERSION = ".*"$', f'VERSION = "{version}"', text, flags=re.MULTILINE
        ),
        f"Become version {version}",
    )


def users(stage: Stage) -> Load:
    """Return the load on production: most keep their connection, some open one each time."""
    return Load(stage.url("production"), stage.edge, stage.ca_file)


def settings_of(stage: Stage) -> settings.Settings:
    return settings.load(home=stage.shipway_home, **stage.ports)


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)
