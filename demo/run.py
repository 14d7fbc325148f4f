"""The demo: the AIOS app goes from `git push` to production behind TLS, and back.

`./dev demo` leaves the platform running and says what to try. `--once` also takes a release
back under load, checks every claim over HTTP, tears down, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from demo.load import AT_LEAST_PER_SECOND, Load
from demo.phone import Phone
from demo.stage import Failed, Stage

AIOS = pathlib.Path(__file__).parent.parent / "examples" / "aios"
GREETING = "api/src/aios/greeting.py"
ABOUT = "client/src/app/(tabs)/about.tsx"
LOADED = f"at least {AT_LEAST_PER_SECOND} requests a second were asked"
KEPT_AS_ROOT = pathlib.Path("/var/lib/shipway-demo")


def main() -> int:
    arguments = _arguments()
    if arguments.down:
        return asyncio.run(_end(Stage.kept(kept_home(), AIOS)))
    return asyncio.run(_once() if arguments.once else _stay())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="AIOS from git push to production, and back")
    parser.add_argument("--once", action="store_true", help="do it all, check it, tear down")
    parser.add_argument("--down", action="store_true", help="end a demo that was left running")
    return parser.parse_args()


async def _once() -> int:
    """The whole story with a rollback under load. Returns the exit status."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-demo-", dir="/var/tmp"))
    figures = await story(Stage.fresh(home, AIOS))
    print(json.dumps(figures), flush=True)
    return 0 if figures["ok"] else 1


async def story(stage: Stage) -> dict[str, Any]:
    """Play everything, tear down, and return the figures; ``ok`` says that all claims held."""
    figures: dict[str, Any] = {"ok": False}
    try:
        await _first_release(stage, figures)
        phone = await Phone.bought(stage)
        await phone.update()
        await _second_release(stage)
        await _update(phone, figures)
        await _take_back(stage, figures)
        await _update_back(phone, figures)
        kept = claims(figures)
        figures["broken_claims"] = [claim for claim, is_true in kept.items() if not is_true]
        figures["ok"] = all(kept.values())
    except Failed as error:
        say(f"The demo failed: {error}")
        figures["error"] = str(error)
        stage.show_logs()
    finally:
        await stage.end()
    return figures


async def _stay() -> int:
    """The story up to production; the platform stays up."""
    home = kept_home()
    if (home / "shipway").exists():
        say("A demo is running already. `./dev down` ends it.")
        return 1
    home.mkdir(parents=True, exist_ok=True)
    stage = Stage.fresh(home, AIOS)
    figures: dict[str, Any] = {}
    try:
        await _first_release(stage, figures)
    except (Failed, KeyboardInterrupt, asyncio.CancelledError) as error:
        say(f"The demo failed: {error}")
        stage.show_logs()
        await stage.end()
        return 1
    figures["console"] = (await stage.told("console")).strip()
    say(invitation(stage, figures))
    return 0


async def _end(stage: Stage) -> int:
    await stage.end()
    say("The demo is gone.")
    return 0


async def _first_release(stage: Stage, figures: dict[str, Any]) -> None:
    chapter("Setting up a Shipway of its own, on free ports")
    figures["setup_seconds"] = await timed(stage.set_up)
    chapter("A developer pushes the AIOS app")
    await stage.create_app()
    figures["deliver_seconds"] = await timed(stage.deliver)
    chapter("A second person approves; production gets it")
    await stage.invite_approver()
    figures["promote_seconds"] = await timed(stage.promote)
    await stage.expect("production", "v1")


async def _second_release(stage: Stage) -> None:
    chapter("A second release, with a change that everybody can see")
    stage.change(ABOUT, lambda text: text.replace('"The server"', '"The server says"'))
    await stage.commit(GREETING, _changed, "Change the greeting")
    await stage.deliver()
    await stage.promote()
    await stage.expect("production", "v2")


def _changed(text: str) -> str:
    return re.sub(r'^(GREETING = )"(.*)"$', r'\1"\2, version 2"', text, flags=re.MULTILINE)


async def _take_back(stage: Stage, figures: dict[str, Any]) -> None:
    chapter("Production is taken back, under load through TLS")
    async with Load(stage.url("production"), stage.edge, stage.ca_file) as users:
        await users.see("v2", times=150)
        began = time.monotonic()
        figures["rollback_command_seconds"] = round(await stage.roll_back(), 3)
        await users.see("v1", times=300)
        figures["rollback_seconds"] = round(users.last_seen("v2") - began, 3)
    await stage.expect("production", "v1")
    figures.update(users.figures())


async def _update(phone: Phone, figures: dict[str, Any]) -> None:
    chapter("A phone gets the release over the air, as a patch")
    figures["updates"] = await phone.wait_for_patch()
    await phone.update()


async def _update_back(phone: Phone, figures: dict[str, Any]) -> None:
    chapter("The phone goes back with the release")
    await phone.update()
    figures["updates"] |= phone.figures()


def claims(figures: dict[str, Any]) -> dict[str, bool]:
    """Return what the demo claims, and whether it came true."""
    updates = figures["updates"]
    return {
        "no request failed": figures["failed_requests"] == 0,
        "both versions were seen": figures["versions_seen"] == ["v1", "v2"],
        "all of it went through TLS 1.3": figures["tls"] == "TLSv1.3",
        LOADED: figures["requests_per_second"] >= AT_LEAST_PER_SECOND,
        "the phone got a patch": updates["patched"] >= 1,
        "the phone went back with the release": bool(updates["back_on_first"]),
    }


def invitation(stage: Stage, figures: dict[str, Any]) -> str:
    """Return the addresses and five things to try."""
    version = f"{stage.url('production')}/version"
    curl = f"curl --cacert {stage.ca_file} --connect-to ::127.0.0.1: {version}"
    delivered, promoted = figures["deliver_seconds"], figures["promote_seconds"]
    return f"""
AIOS went from git push to staging in {delivered} s, and to production in {promoted} s more.

  staging     {stage.url("staging", api=False)}
  production  {stage.url("production", api=False)}
  API         {version}
  authority   {stage.ca_file}  (let your browser trust it)
  console     {stage.api_url}/console/
              {figures["console"]}
              (signs you in once, within 15 minutes; `shipway console` prints another)

Five things to try, in {stage.checkout}:

  export SHIPWAY_HOME={stage.shipway_home} XDG_CONFIG_HOME={stage.config("dev")}
  export PATH={pathlib.Path(sys.executable).parent}:$PATH

  1. shipway status
  2. {curl}
  3. edit {GREETING}, commit, and: git push shipway main
  4. shipway releases; shipway env show production; shipway audit
  5. XDG_CONFIG_HOME={stage.config("ada")} shipway approve,
     and then: shipway rollback production

`./dev down` ends the demo."""


def kept_home() -> pathlib.Path:
    if os.geteuid() == 0:
        return KEPT_AS_ROOT
    return pathlib.Path.home() / ".local" / "share" / "shipway-demo"


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds something took."""
    began = time.monotonic()
    await act()
    return round(time.monotonic() - began, 2)


def chapter(title: str) -> None:
    say(f"\n── {title} ──")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
