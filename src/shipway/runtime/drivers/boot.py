"""From nothing to a kept steward, and back: what `shipway up` and `shipway down` do first and last."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shipway.kit import command, errors, http, settings
from shipway.runtime.drivers import definition, fence, sandbox, users
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Kind, Owner, Service, Task
from shipway.runtime.port import Keeper

NAME = "steward"
_OWNER = Owner(Kind.STEWARD)
_READY_SECONDS = 30.0
_API_SECONDS = 60.0
_GRACE = 20.0

PROGRAMS = {
    "s6-svscan": "s6", "s6-svlink": "s6", "s6-log": "s6", "execlineb": "execline",
    "bwrap": "bubblewrap", "setpriv": "util-linux", "prlimit": "util-linux", "setsid": "util-linux",
}  # fmt: skip

FOLDERS = (
    # name, whose (None: ours), mode; the group is the platform's
    ("run", None, 0o755),
    ("run/api", Kind.API, 0o750),
    ("tools", None, 0o755),
    ("git", Kind.API, 0o2770),
    ("artifacts", Kind.WORKER, 0o2750),
    ("secrets", Kind.WORKER, 0o700),
    ("updates", Kind.WORKER, 0o2750),
    ("updates/boards", Kind.WORKER, 0o2750),
    ("updates/files", Kind.WORKER, 0o2750),
    ("updates/inbox", Kind.API, 0o2770),
    ("logs", None, 0o711),
    ("logs/runs", Kind.WORKER, 0o2750),
    ("edge", Kind.WORKER, 0o2750),
    ("ca", Kind.WORKER, 0o755),
)

_ORDER = ("server.", "edge", "envoy", "intake", "api", "worker", "cluster.", "database.", "")
"""What stops before what: prefixes of services' names. Shipway's own store and the rest are last."""


async def boot(found: settings.Settings, services: Sequence[Service] = ()) -> SocketKeeper:
    """Have the steward running, then the given services in their order. May be repeated.

    Makes folders and OS users, and starts s6-svscan detached: it outlives the caller. Raises
    `errors.Unavailable` when the machine lacks a program, or cannot make sandboxes, and
    `errors.Failed` when the steward does not come up.
    """
    _check_programs()
    found.home.mkdir(parents=True, exist_ok=True, mode=0o755)
    keeper = LocalKeeper(found.home, found)
    await _make_folders(keeper, found.home.resolve())
    await _check_python(keeper)
    await _keep_steward(keeper, found)
    asking = SocketKeeper(found.run / "steward.sock")
    await _wait(asking, keeper)
    for service in services:
        await asking.keep(service)
    return asking


async def shut_down(found: settings.Settings, *, forget: bool = False) -> None:
    """Stop every app, then Shipway itself. All of it starts again with the next `boot`.

    With ``forget`` nothing is left: users, groups and the whole of SHIPWAY_HOME are removed.
    """
    if not found.home.is_dir():
        return
    keeper = LocalKeeper(found.home, found)
    names = [name for name in keeper.tree.names() if name != NAME]
    for prefix in _ORDER:
        turn = [name for name in names if name.startswith(prefix) and name != "store"]
        names = [name for name in names if name not in turn]
        await asyncio.gather(*(keeper.tree.rest(name) for name in turn))
    for name in ("store", NAME):
        await keeper.tree.rest(name)
    await keeper.tree.stop_watching()
    if forget:
        await _forget(keeper, found.home.resolve())


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """A folder that `boot` makes: whose it is (None: who boots), its group's name and its mode."""

    path: pathlib.Path
    owner: Owner | None
    group: str
    mode: int


def foundations(home: pathlib.Path) -> tuple[Foundation, ...]:
    """Return the folders below SHIPWAY_HOME as `boot` makes them."""
    home = home.resolve()
    return tuple(
        Foundation(
            path=home / name,
            owner=Owner(whose) if whose else None,
            group=users.group_of(home),
            mode=mode,
        )
        for name, whose, mode in FOLDERS
    )


def environment(found: settings.Settings) -> dict[str, str]:
    """Return the variables with which another process of Shipway has these same settings.

    What ``settings.toml`` says is read there by each; these are what was given otherwise.
    """
    values = found.model_dump(mode="json", include=found.model_fields_set)
    told = {f"SHIPWAY_{name.upper()}": _told(value) for name, value in values.items()}
    return told | {"SHIPWAY_HOME": str(found.home.resolve())} | command.base_environment()


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_programs() -> None:
    missing = sorted({package for name, package in PROGRAMS.items() if not shutil.which(name)})
    if missing:
        raise errors.Unavailable(
            f"This machine lacks {', '.join(missing)}.",
            fix=f"As root: apt-get install {' '.join(missing)}",
        )


async def _make_folders(keeper: LocalKeeper, home: pathlib.Path) -> None:
    group = await keeper.users.ensure_group()
    for kind in (Kind.API, Kind.WORKER, Kind.INTAKE, Kind.EDGE):
        await keeper.provide(Owner(kind))
    for name, whose, mode in FOLDERS:
        folder = home / name
        folder.mkdir(exist_ok=True)
        user = keeper.users.ids(Owner(whose))[0] if whose else os.geteuid()
        os.chown(folder, user, group, follow_symlinks=False)
        folder.chmod(mode)


async def _check_python(keeper: LocalKeeper) -> None:
    """Try what every process of Shipway's begins with, as one of the users who will do it."""
    said: list[str] = []
    task = Task(
        owner=Owner(Kind.API),
        argv=(sys.executable, "-P", "-c", "import shipway.kit.errors"),
        key="boot.python",
        timeout=60,
    )
    if await keeper.run(task, on_line=said.append):
        where = pathlib.Path(sys.prefix)
        raise errors.Unavailable(
            f"Shipway's own users cannot run the Shipway in {where}: {' '.join(said[-2:])}",
            fix="Install it where every user may read, such as /opt/shipway, not below /root; "
            "and see that user namespaces are allowed (sysctl kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns).",
        )


async def _keep_steward(keeper: LocalKeeper, found: settings.Settings) -> None:
    ids = (os.geteuid(), os.getegid())
    log = keeper.log_folder(NAME)
    log.mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = command.inherited(*sandbox.REGISTRY_VARIABLES)
    plan = definition.Plan(
        service=Service(
            owner=_OWNER,
            name=NAME,
            argv=(sys.executable, "-P", "-m", "shipway.steward"),
            env=environment(found) | registry,
            grace=_GRACE,
        ),
        becoming=(),
        logging_as=(),
        ids=ids,
        cwd=found.home.resolve(),
        log=log,
        end_group=True,
    )
    if keeper.tree.has(NAME) and not keeper.tree.holds(plan):
        await keeper.tree.drop(NAME)
    await keeper.tree.keep(plan)


async def _wait(asking: SocketKeeper, keeper: LocalKeeper) -> None:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while not await _answers(asking):  # noqa: ASYNC110 -- nobody tells when it listens
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        lines = await keeper.log_lines(NAME, last=5)
        raise errors.Failed(
            f"The steward does not come up: {' '.join(lines)}", fix="Its log says why."
        ) from error


async def _answers(asking: SocketKeeper) -> bool:
    try:
        await asking.services("steward")
    except errors.Unavailable:
        return False
    return True


async def _forget(keeper: LocalKeeper, home: pathlib.Path) -> None:
    for name in keeper.tree.names():
        await keeper.tree.drop(name)
    owners = home / "owners"
    for folder in owners.iterdir() if owners.is_dir() else ():
        kind, app, environment, *_ = [*folder.name.split("."), "", ""]
        await keeper.withdraw(Owner(Kind(kind), app, environment))
    await keeper.users.remove_group()
    keeper.groups.remove()
    await asyncio.to_thread(fence.remove_tree, home)


async def wait_for_api(machine: Keeper, found: settings.Settings) -> None:
    """Wait until the API answers. Raises `errors.Failed` with the end of its log when it does
    not in time."""
    deadline = asyncio.get_running_loop().time() + _API_SECONDS
    while True:
        try:
            await http.get(f"http://127.0.0.1:{found.api_port}/health", timeout=2)
            return
        except errors.Unavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                lines = await machine.log_lines(Kind.API, last=3)
                raise errors.Failed(
                    f"The API does not come up. Its log ends: {' | '.join(lines)}"
                ) from error
        await asyncio.sleep(0.1)
