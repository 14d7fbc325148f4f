"""What the worker does about updates, in a process that dies: ``dying_worker.py HOME DATABASE SEEN``.

A line of its input is the id of a change, or nothing for the upkeep. A child does it, and kills itself
before the first touch of the outside that the file SEEN does not have yet: a statement that writes,
a commit, a file that is written through or put in its place. A line of the output says before what it died, and
is empty when it came to the end. Each child is a fork: this process has imported everything.
"""

from __future__ import annotations

import asyncio
import functools
import os
import pathlib
import re
import signal
import sys
import types
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import psycopg

from shipway.environments.vault import Vault
from shipway.health.outbox import Outbox
from shipway.kit import blobs, db, settings
from shipway.releases.records import Deployments, Releases
from shipway.updates.office import Office
from shipway.workflows import updating
from shipway.workflows.platform import Platform

SPARED = "*"
"""As a line of SEEN: it lives."""


class Touches:
    """Dies before the first touch that was not seen yet."""

    def __init__(self, seen: pathlib.Path) -> None:
        self._file = seen
        self._seen = set(seen.read_text().splitlines())
        self._count: Counter[str] = Counter()

    def before(self, what: str) -> None:
        if not what:
            return
        self._count[what] += 1
        name = f"{what} {self._count[what]}"
        if SPARED not in self._seen and name not in self._seen:
            with self._file.open("a") as file:
                file.write(f"{name}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, home: pathlib.Path) -> None:
        """Be told of every touch from now on."""

        def renamed(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "os.rename":
                target = pathlib.Path(os.fsdecode(arguments[1]))
                if ".under-way" not in target.parts:
                    self.before(f"replace {target.relative_to(home)}")

        def named(_: Any, sql: str, **__: Any) -> str:
            words = re.sub(r"--.*", "", sql).split()[:6]
            return "" if words[0] == "select" else " ".join(words)

        sys.addaudithook(renamed)
        _watched(os, "fsync", self.before, lambda *_: "fsync")
        _watched(db.Database, "rows", self.before, named)
        _watched(db.Database, "run", self.before, named)
        _watched(psycopg.AsyncTransaction, "__aexit__", self.before, lambda *_: "commit")


def _watched(
    of: object, name: str, before: Callable[[str], None], named: Callable[..., str]
) -> None:
    plain = getattr(of, name)

    @functools.wraps(plain)
    def told(*arguments: Any, **given: Any) -> Any:
        before(named(*arguments, **given))
        return plain(*arguments, **given)

    setattr(of, name, told)


async def work(home: pathlib.Path, url: str, change: str) -> None:
    """Do what a change asks for, or the upkeep."""
    database = db.Database(url, name="dying")
    await database.open()
    store = blobs.Blobs(home / "artifacts")
    on = types.SimpleNamespace(
        settings=settings.load(home=home, https_port=443),
        releases=Releases(database),
        deployments=Deployments(database),
        outbox=Outbox(database),
        updates=Office.of(database, store, Vault.at(home, opens=True), home),
    )
    if change:
        await updating.Updating(cast("Platform", on)).perform(change)
    else:
        await updating.keep_house(cast("Platform", on))


def live(home: pathlib.Path, url: str, seen: pathlib.Path, change: str) -> None:
    """Be a worker, for as long as it lasts."""
    touches = Touches(seen)
    touches.watch(home)
    asyncio.run(work(home, url, change))
    touches.before("the end")


def main() -> None:
    home, url, seen = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(home, url, seen, line.strip())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not died and status:
            sys.exit(f"{line.strip()} ended with status {status}")
        print(seen.read_text().splitlines()[-1] if died else "", flush=True)


if __name__ == "__main__":
    main()
