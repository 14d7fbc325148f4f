"""From `git push` to the first line of the run: `./dev bench push`.

100 MB of random data, nothing but a new branch of what is there, and nothing at all. Beside each
stands plain `git push` of the same commits to a bare repository on the same disk (`file://`), which
checks what it receives as Shipway does and whose hook says one line: git without a server, HTTP,
tokens or a record. What is compared ends with the first line that the remote says of the push.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import figures, stand
from demo.stage import Failed, Stage

from shipway.kit import command

MB = 1000**2
PLAIN = "plain"
SAID = "remote: "
HOOK = "#!/bin/sh\necho received\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="git push to the first line of the run")
    parser.add_argument("--megabytes", type=int, default=100, help="how much to push")
    parser.add_argument("--large", type=int, default=3, help="how many large pushes")
    parser.add_argument("--small", type=int, default=10, help="how many pushes of nothing")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        stand.say("a first push, which fills the caches")
        await stage.deliver()
        pushes = Pushes(stage)
        await pushes.prepare()
        for number in range(arguments.large):
            stand.say(f"{arguments.megabytes} MB, {number + 1} of {arguments.large}")
            await pushes.large(number, arguments.megabytes * MB)
        stand.say(f"{arguments.small} pushes of a new branch, and as many of nothing")
        for number in range(arguments.small):
            await pushes.branch(number)
            await pushes.nothing()
        return told(pushes.seconds, arguments.megabytes)

    return stand.run("push", measure, longest_seconds=1200)


@dataclass
class Pushes:
    """Pushes to both remotes in turns. ``seconds`` by what was pushed and where to."""

    stage: Stage
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Make the plain remote, with what the other one has."""
        bare = self.stage.home / "plain.git"
        await self.stage.git("init", "--quiet", "--bare", str(bare))
        await self.stage.git("--git-dir", str(bare), "config", "receive.fsckObjects", "true")
        hook = bare / "hooks" / "post-receive"
        hook.write_text(HOOK)
        hook.chmod(0o755)
        await self.stage.git("remote", "add", PLAIN, f"file://{bare}")
        await self.stage.git("push", "--quiet", PLAIN, "main")

    async def large(self, number: int, size: int) -> None:
        """Push a file of random data on a branch of its own."""
        branch = f"large-{number}"
        await self.stage.git("switch", "--quiet", "--create", branch, "main")
        await asyncio.to_thread(write_random, self.stage.checkout / "large.bin", size)
        await self.stage.git("add", "large.bin")
        await self.stage.git("commit", "--quiet", "--message=Grow")
        await self.both("large", branch)
        await self.stage.git("switch", "--quiet", "main")

    async def branch(self, number: int) -> None:
        """Push what is there already, under another name: a run, and no objects."""
        branch = f"same-{number}"
        await self.stage.git("branch", branch, "main")
        await self.both("branch", branch)

    async def both(self, what: str, branch: str) -> None:
        self._note(what, PLAIN, await self._first_line(PLAIN, branch, "received"))
        self._note(what, "shipway", await self._first_line("shipway", branch, " run_"))
        await self._cancel()

    async def nothing(self) -> None:
        """Push what has been pushed: to the end, for the remote says nothing."""
        for remote in (PLAIN, "shipway"):
            began = time.monotonic()
            await self.stage.git("push", remote, "main")
            self._note("nothing", remote, time.monotonic() - began)

    async def _first_line(self, remote: str, branch: str, word: str) -> float:
        """Push until the remote says the word, and leave then. Returns the seconds."""
        heard = asyncio.Event()
        push = command.Command(
            argv=("git", "push", remote, branch),
            env=self.stage.environment("dev"),
            cwd=self.stage.checkout,
        )

        def listen(line: str) -> None:
            if line.startswith(SAID) and word in line:
                heard.set()

        began = time.monotonic()
        async with command.running(push, on_line=listen) as running, asyncio.timeout(300):
            ending = asyncio.ensure_future(running.wait())
            hearing = asyncio.ensure_future(heard.wait())
            await asyncio.wait({ending, hearing}, return_when=asyncio.FIRST_COMPLETED)
            seconds = time.monotonic() - began
            hearing.cancel()
            await ending if remote == PLAIN else ending.cancel()
        if not heard.is_set():
            raise Failed(f"the push of {branch} to {remote} ended without a word of a run")
        return seconds

    async def _cancel(self) -> None:
        """End the run, so that the next push has the machine for itself."""
        run = await self.stage.last_run()
        async with self.stage.api() as api:
            if not run.over:
                await api.cancel(run.id)
            async for _ in api.follow(run.id):
                pass

    def _note(self, what: str, remote: str, seconds: float) -> None:
        self.seconds.setdefault((what, remote), []).append(seconds)


def write_random(path: pathlib.Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // MB):
            file.write(os.urandom(MB))


NAMES = {
    "large": "{} MB to the first line",
    "branch": "a new branch of what is there, to the first line",
    "nothing": "nothing new, to the end",
}


def told(seconds: Mapping[tuple[str, str], Sequence[float]], megabytes: int) -> dict[str, Any]:
    rows: list[Sequence[object]] = [(*figures.SPREAD_HEAD, "ratio")]
    found: dict[str, Any] = {"megabytes": megabytes}
    for what, name in NAMES.items():
        ours, theirs = (figures.spread(seconds.get((what, one), ())) for one in ("shipway", PLAIN))
        times = figures.ratio(ours.get("median", 0), theirs.get("median", 0))
        found[what] = {"shipway": ours, "plain_git": theirs, "ratio": times}
        rows.append((*figures.spread_row(name.format(megabytes), ours), times))
        rows.append((*figures.spread_row("  plain git", theirs), None))
    figures.table("git push, in seconds", rows)
    return found


if __name__ == "__main__":
    sys.exit(main())
