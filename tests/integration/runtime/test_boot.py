"""The steward from nothing to nothing: kept by the tree, asked by few, and all of it taken back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest

from shipway.kit import command, errors, settings
from shipway.runtime.drivers import boot
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Kind, Owner, Service, Task

pytestmark = pytest.mark.anyio

API = Owner(Kind.API)
IS_ROOT = os.geteuid() == 0


@pytest.fixture
async def found(home: pathlib.Path) -> AsyncIterator[settings.Settings]:
    made = settings.load(home=home)
    try:
        yield made
    finally:
        await boot.shut_down(made, forget=True)


def idle(name: str = "api") -> Service:
    return Service(owner=API, name=name, argv=("sleep", "1000"), grace=2.0)


async def pid_of(keeper: SocketKeeper, name: str) -> int:
    (observed,) = [one for one in await keeper.services(name) if one.name == name]
    assert observed.up
    return observed.pid


async def test_booting_again_changes_nothing(found: settings.Settings) -> None:
    keeper = await boot.boot(found, [idle()])
    before = await pid_of(keeper, "steward"), await pid_of(keeper, "api")
    keeper = await boot.boot(found, [idle()])
    assert before == (await pid_of(keeper, "steward"), await pid_of(keeper, "api"))


async def test_what_was_shut_down_starts_again_with_the_next_boot(
    found: settings.Settings,
) -> None:
    keeper = await boot.boot(found, [idle()])
    before = await pid_of(keeper, "api")
    await boot.shut_down(found)
    assert not pathlib.Path(f"/proc/{before}/cwd").exists()
    with pytest.raises(errors.Unavailable, match="shipway up"):
        await keeper.services()
    await boot.shut_down(found)
    keeper = await boot.boot(found)
    async with asyncio.timeout(10):
        while not [one for one in await keeper.services("api") if one.up]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_forgetting_leaves_nothing(found: settings.Settings) -> None:
    keeper = await boot.boot(found, [idle()])
    folder = await keeper.provide(Owner(Kind.SERVER, "tiny", "staging"))
    user = folder.owner()
    await boot.shut_down(found, forget=True)
    assert not found.home.exists()
    if IS_ROOT:
        assert f"\n{user}:" not in pathlib.Path("/etc/passwd").read_text()
        assert str(found.home) not in pathlib.Path("/etc/passwd").read_text()


async def test_the_steward_takes_no_orders_about_itself(found: settings.Settings) -> None:
    keeper = await boot.boot(found)
    with pytest.raises(errors.Refused):
        await keeper.drop("steward")
    with pytest.raises(errors.Refused):
        await keeper.signal("steward", "SIGKILL")
    with pytest.raises(errors.Refused):
        await keeper.keep(idle("steward"))
    assert await keeper.log_lines("steward")


@pytest.mark.skipif(not IS_ROOT, reason="without root there is only one user")
async def test_the_steward_knows_who_asks(found: settings.Settings) -> None:
    """The worker is obeyed, the API may look, and nobody else is answered."""
    await boot.boot(found)
    local = LocalKeeper(found.home, found)
    looks, provides = "keeper.services()", "keeper.provide(Owner(Kind.INTAKE))"
    assert await _asks(local, Owner(Kind.WORKER), provides) == "done"
    assert await _asks(local, API, looks) == "done"
    assert "Denied" in await _asks(local, API, provides)
    for stranger in (Owner(Kind.INTAKE), Owner(Kind.EDGE), Owner(Kind.BUILD, "tiny")):
        assert "Denied" in await _asks(local, stranger, looks)


async def _asks(keeper: LocalKeeper, owner: Owner, what: str) -> str:
    """Ask the steward as this owner, and return the last line of what came."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from shipway.runtime.drivers.socket import SocketKeeper\n"
        "from shipway.runtime.model import Kind, Owner\n"
        "keeper = SocketKeeper(pathlib.Path(sys.argv[1]))\n"
        f"asyncio.run({what})\n"
        "print('done')\n"
    )
    said: list[str] = []
    socket = str(keeper.log_folder("").parent.parent / "run" / "steward.sock")
    task = Task(owner=owner, argv=(sys.executable, "-P", "-c", program, socket), key=owner.slug)
    await keeper.run(task, on_line=said.append)
    return said[-1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"{}\n",
        b'{"verb": "explode"}\n',
        b'{"verb": "provide", "owner": {"kind": "root"}}\n',
        b'{"verb": "provide", "owner": {"kind": "build", "app": "../../etc"}}\n',
        b'{"verb": "provide", "owner": {"kind": "build", "app": "a", "uid": 0}}\n',
        b'{"verb": "drop"}\n',
        b'{"verb": "log_lines", "name": "../../etc/passwd", "last": 5}\n',
        b'{"verb": "run", "task": {"owner": {"kind": "api"}, "argv": [], "key": "k"}}\n',
        b"\xff" * 100_000,
    ],
)
async def test_nonsense_is_answered_and_survived(found: settings.Settings, line: bytes) -> None:
    local = LocalKeeper(found.home, found)
    path = found.home / "steward.sock"
    from shipway.steward.server import Server  # noqa: PLC0415 -- beside the one test that needs it

    async with Server(local, found.home).listening(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        with contextlib.suppress(OSError):
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert b'"error"' in answer or answer == b""
        assert list(await SocketKeeper(path).services()) == []


async def test_a_home_that_others_cannot_reach_is_said_so(found: settings.Settings) -> None:
    if not IS_ROOT:
        pytest.skip("without root there is only one user, who reaches its own home")
    found.home.chmod(0o700)
    with pytest.raises(errors.Unavailable, match="users"):
        await boot.boot(found)


async def test_programs_that_are_missing_are_named(
    found: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(errors.Unavailable, match="apt-get install bubblewrap execline s6"):
        await boot.boot(found)
    monkeypatch.undo()


async def test_other_processes_get_the_same_settings(home: pathlib.Path) -> None:
    given = settings.load(home=home, api_port=7801, instance_ports=(24100, 24199))
    program = "from shipway.kit import settings; print(settings.load().model_dump_json())"
    told = await command.run(
        command.Command(argv=(sys.executable, "-c", program), env=boot.environment(given))
    )
    assert settings.Settings.model_validate_json(told.output) == given
