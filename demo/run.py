"""The demo: the AIOS app goes from `git push` to production behind TLS, and back.

`demo/run.py` leaves the platform running and says what to try. `--once` also takes a release
back under load, checks every claim over HTTP, tears down, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import load
import stage

KEPT_AS_ROOT = pathlib.Path("/var/lib/shipway-demo")


def main() -> int:
    arguments = _arguments()
    if arguments.down:
        return asyncio.run(_end(stage.Stage.kept(_kept_home())))
    story = _once() if arguments.once else _stay()
    return asyncio.run(story)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--once", action="store_true", help="do it all, check it, tear down")
    parser.add_argument("--down", action="store_true", help="end a demo that was left running")
    return parser.parse_args()


async def _once() -> int:
    """The whole story with a rollback under load. Returns the exit status."""
    figures: dict[str, Any] = {"ok": False}
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-demo-", dir="/var/tmp"))
    scene = stage.Stage.fresh(home)
    try:
        await _first_release(scene, figures)
        await _second_release(scene)
        await _take_back(scene, figures)
        figures["ok"] = _is_good(figures)
    except stage.Failed as error:
        say(f"The demo failed: {error}")
        figures["error"] = str(error)
        scene.show_logs()
    finally:
        await scene.end()
    print(json.dumps(figures), flush=True)
    return 0 if figures["ok"] else 1


async def _stay() -> int:
    """The story up to production; the platform stays up."""
    home = _kept_home()
    if (home / "settings.toml").exists():
        say("A demo is running already. `./dev down` ends it.")
        return 1
    home.mkdir(parents=True, exist_ok=True)
    scene = stage.Stage.fresh(home)
    figures: dict[str, Any] = {}
    try:
        await _first_release(scene, figures)
    except (stage.Failed, KeyboardInterrupt, asyncio.CancelledError) as error:
        say(f"The demo failed: {error}")
        scene.show_logs()
        await scene.end()
        return 1
    say(scene.invitation(figures))
    return 0


async def _end(scene: stage.Stage) -> int:
    await scene.end()
    say("The demo is gone.")
    return 0


async def _first_release(scene: stage.Stage, figures: dict[str, Any]) -> None:
    chapter("Setting up a Shipway of its own, on free ports")
    figures["setup_seconds"] = await timed(scene.set_up)
    chapter("A developer pushes the AIOS app")
    await scene.create_app()
    figures["deliver_seconds"] = await timed(scene.push)
    chapter("A second person approves; production gets it")
    await scene.invite_approver()
    figures["promote_seconds"] = await timed(scene.promote)
    await scene.expect_production("v1")


async def _second_release(scene: stage.Stage) -> None:
    chapter("A second release, with a change that everybody can see")
    await scene.change_greeting()
    await scene.push()
    await scene.promote()
    await scene.expect_production("v2")


async def _take_back(scene: stage.Stage, figures: dict[str, Any]) -> None:
    chapter("Production is taken back, under load through TLS")
    async with load.Load(scene.production_url, scene.edge, scene.ca_file) as users:
        await users.see("v2", times=100)
        began = time.monotonic()
        await scene.roll_back()
        await users.see("v1", times=300)
        figures["rollback_seconds"] = round(users.last_seen("v2") - began, 3)
        figures["rollback_command_seconds"] = round(scene.last_command_seconds, 3)
    await scene.expect_production("v1")
    figures.update(users.figures())
    figures["tls"] = users.tls


def _is_good(figures: dict[str, Any]) -> bool:
    return (
        figures["failed_requests"] == 0
        and figures["versions_seen"] == ["v1", "v2"]
        and figures["tls"] == "TLSv1.3"
        and figures["requests_per_second"] >= load.AT_LEAST_PER_SECOND
    )


def _kept_home() -> pathlib.Path:
    if os.geteuid() == 0:
        return KEPT_AS_ROOT
    return pathlib.Path.home() / ".local" / "share" / "shipway-demo"


async def timed(act: Callable[[], Any]) -> float:
    began = time.monotonic()
    await act()
    return round(time.monotonic() - began, 2)


def chapter(title: str) -> None:
    say(f"\n── {title} ──")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
