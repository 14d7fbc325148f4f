"""How the server of a clone is started from its sources, and started again when they change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from shipway.appfile.model import Server
from shipway.kit import command, errors, http
from shipway.local import watching
from shipway.local.children import Children

Tell = Callable[[str], None]
"""Where lines go."""

_CALL = "import sys; from {module} import {function} as main; sys.exit(main())"
STRIPS_TYPES = (22, 18)
"""The first version of Node that runs TypeScript by itself."""
_NODE_SUFFIXES = (".ts", ".js", ".mjs", ".cjs", ".mts", ".cts", ".json")


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a server is started. One that reloads itself is only started again after it has ended.

    ``before`` is a command that builds what is started.
    """

    argv: tuple[str, ...]
    folder: pathlib.Path
    sources: watching.Sources
    reloads: bool = False
    before: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def plan(root: pathlib.Path, server: Server, env: Mapping[str, str], *, shared: bool) -> Start:
    """Choose the command: the app's own, else what fits the kind.

    ``shared`` says that the client's package.json is the server's too, so that a `dev` script in
    it is the client's.
    """
    folder = root / server.folder
    suffixes = (".py",) if server.kind == "python" else _NODE_SUFFIXES
    sources = watching.Sources(folder, suffixes if server.kind != "command" else ())
    if server.dev:
        return Start(argv=server.dev, folder=folder, sources=sources, reloads=True, env=env)
    if server.kind == "python":
        words = (python(root, folder), *_python(server, env.get(server.port, "")))
        return Start(argv=words, folder=folder, sources=sources, env=env)
    if server.kind == "node":
        command_line = _node(root, folder, server.entry, shared=shared)
        before = server.run if command_line[-1] == server.entry else ()
        return Start(
            argv=command_line, folder=folder, sources=sources, reloads=True, before=before, env=env
        )
    built = str(folder / server.output)
    port = env.get(server.port, "")
    argv = tuple(w.replace("{server}", built).replace("{port}", port) for w in server.start)
    # Its build may write anywhere, so only the end of the server leads to another start.
    return Start(
        argv=argv, folder=folder, sources=sources, reloads=True, before=server.run, env=env
    )


def _python(server: Server, port: str) -> tuple[str, ...]:
    """Return what the interpreter is told: the server's own command, or to call the entry."""
    if server.start[:1] == ("python",):
        return tuple(word.replace("{port}", port) for word in server.start[1:])
    module, _, function = server.entry.partition(":")
    return ("-c", _CALL.format(module=module, function=function))


def around(root: pathlib.Path, folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield a folder and those above it, up to the clone's root."""
    for place in (folder.resolve(), *folder.resolve().parents):
        yield place
        if place == root.resolve():
            return


def python(root: pathlib.Path, folder: pathlib.Path) -> str:
    """Return the interpreter that has the server's packages, else the one on the PATH."""
    for place in around(root, folder):
        for name in (".venv", "venv"):
            if (found := place / name / "bin" / "python").exists():
                return str(found)
    return "python3"


def node_program(root: pathlib.Path, folder: pathlib.Path, name: str) -> str:
    """Return the path of a program of an installed package, or nothing."""
    places = (place / "node_modules" / ".bin" / name for place in around(root, folder))
    return next((str(found) for found in places if found.exists()), "")


def _node(root: pathlib.Path, folder: pathlib.Path, entry: str, *, shared: bool) -> tuple[str, ...]:
    wanted = ("server:dev",) if shared else ("server:dev", "dev")
    scripts = _scripts(folder)
    if named := next((name for name in wanted if name in scripts), ""):
        return ("npm", "run", "--silent", named)
    if entry.endswith(("ts", "tsx")) and (tsx := node_program(root, folder, "tsx")):
        return (tsx, "watch", "--clear-screen=false", entry)
    return ("node", "--watch", entry)


async def demand_types_stripped(start: Start) -> None:
    """Raise `errors.Unavailable` when TypeScript is left to a Node that cannot read it."""
    program, *_, entry = start.argv
    if program != "node" or not entry.endswith((".ts", ".mts", ".cts")):
        return
    told = await command.run(command.Command(argv=("node", "--version"), env=start.env))
    version = tuple(int(part) for part in told.output.strip().lstrip("v").split(".")[:2])
    if version < STRIPS_TYPES:
        raise errors.Unavailable(
            f"Node {told.output.strip().lstrip('v')} cannot run {entry}: it is TypeScript.",
            fix="npm install --save-dev tsx; or give `dev` in [server] of shipway.toml.",
        )


def _scripts(folder: pathlib.Path) -> Mapping[str, object]:
    try:
        scripts = json.loads((folder / "package.json").read_text()).get("scripts")
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
    return scripts if isinstance(scripts, dict) else {}


async def serve(
    children: Children, start: Start, tell: Tell, health: str, ready: asyncio.Event
) -> None:
    """Run the server until cancelled: again after a change, and after a change that follows its
    end. ``ready`` is set each time that it answers at ``health``."""
    while True:
        before = start.sources.now()
        try:
            why = await _once(children, start, tell, health, ready, before)
        except errors.ShipwayError as error:
            tell(str(error))
            why = await start.sources.changed(before)
        tell(f"Starts again: {why} has changed.")


async def _once(
    children: Children,
    start: Start,
    tell: Tell,
    health: str,
    ready: asyncio.Event,
    before: watching.Snapshot,
) -> str:
    """Run the server once, and return the source whose change asks for another start."""
    ready.clear()
    if start.before:
        build = command.Command(argv=start.before, env=start.env, cwd=start.folder, timeout=600)
        await command.run(build, on_line=tell)
    wanted = command.Command(argv=start.argv, env=start.env, cwd=start.folder)
    changing = asyncio.ensure_future(start.sources.changed(before))
    try:
        async with children.running(wanted, tell) as server:
            ending = asyncio.ensure_future(server.wait())
            asking = asyncio.ensure_future(answers(health, ready))
            try:
                awaited = {ending} if start.reloads else {ending, changing}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if ending.done() and not changing.done():
                    tell(f"It ended with status {ending.result()}. It starts after a change.")
            finally:
                ending.cancel()
                asking.cancel()
        return await changing
    finally:
        changing.cancel()


async def answers(url: str, ready: asyncio.Event) -> None:
    """Set ``ready`` once a URL answers 200."""
    while True:
        with contextlib.suppress(errors.Unavailable):
            if (await http.get(url, timeout=2)).status_code == 200:
                ready.set()
                return
        await asyncio.sleep(0.2)
