"""What every keeper promises, whether it does the work or asks the steward to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import pathlib
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest

from shipway.kit import errors, settings
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Kind, Observed, Owner, Sandbox, Service, Task
from shipway.runtime.port import Keeper
from shipway.steward.server import Server

MARK = os.getpid()
"""Tells the processes of this test run from those that another one has left."""

pytestmark = pytest.mark.anyio

BUILD = Owner(Kind.BUILD, "tiny")
SERVER = Owner(Kind.SERVER, "tiny", "staging")
SLEEPER = ("sh", "-c", "echo hello $WHO; exec sleep 1000")


@pytest.fixture
async def local(home: pathlib.Path) -> AsyncIterator[LocalKeeper]:
    (home / "artifacts").mkdir()
    keeper = LocalKeeper(home, settings.load(home=home))
    try:
        yield keeper
    finally:
        for name in keeper.tree.names():
            await keeper.drop(name)
        await keeper.tree.stop_watching()
        for owner in (BUILD, SERVER, Owner(Kind.CLUSTER, "tiny", "staging")):
            await keeper.withdraw(owner)
        await keeper.users.remove_group()
        keeper.groups.remove()


@pytest.fixture(params=["local", "socket"])
async def keeper(
    request: pytest.FixtureRequest, local: LocalKeeper, home: pathlib.Path
) -> AsyncIterator[Keeper]:
    if request.param == "local":
        yield local
        return
    path = home / "steward.sock"
    async with Server(local, home).listening(path):
        yield SocketKeeper(path)


def service(name: str = "sleeper", **changes: object) -> Service:
    known: dict[str, object] = {"argv": SLEEPER, "env": {"WHO": "you"}, "grace": 5.0}
    return Service(owner=SERVER, name=name, **known | changes)  # type: ignore[arg-type]


async def seen(keeper: Keeper, name: str = "sleeper") -> Observed:
    (found,) = [one for one in await keeper.services(name) if one.name == name]
    return found


async def says(keeper: Keeper, name: str, text: str) -> None:
    """Wait until a service's log says so: the log has a process of its own."""

    async def said() -> bool:
        return any(text in line for line in await log_of(keeper, name))

    await until(said)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody announces."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.02)


async def log_of(keeper: Keeper, name: str) -> list[str]:
    with contextlib.suppress(errors.NotFound):
        return list(await keeper.log_lines(name))
    return []


async def lines_of(keeper: Keeper, *argv: str, **changes: object) -> list[str]:
    """Run a command as the build owner and return what it said."""
    said: list[str] = []
    task = Task(owner=BUILD, argv=argv, key="test", **changes)  # type: ignore[arg-type]
    assert await keeper.run(task, on_line=said.append) == 0, said
    return said


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def artifact(home: pathlib.Path, data: bytes) -> pathlib.Path:
    path = home / "artifacts" / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


# Owners


async def test_providing_twice_provides_once(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    assert await keeper.provide(BUILD) == folder
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o007 == 0


async def test_the_owner_of_a_postgresql_gets_a_folder_for_its_socket(
    keeper: Keeper, home: pathlib.Path
) -> None:
    owner = Owner(Kind.CLUSTER, "tiny", "staging")
    folder = await keeper.provide(owner)
    sockets = pathlib.Path(owner.sockets(str(home)))
    assert sockets.stat().st_uid == folder.stat().st_uid
    assert sockets.stat().st_mode & 0o777 == 0o755
    await keeper.withdraw(owner)
    assert not sockets.exists()


async def test_withdrawing_what_is_gone_is_fine(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    await keeper.withdraw(BUILD)
    await keeper.withdraw(BUILD)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "A", "", "-x", "a.b", "x" * 70])
async def test_an_owner_cannot_be_named_out_of_its_place(keeper: Keeper, name: str) -> None:
    if not name:
        name = "\0"
    with pytest.raises(errors.Invalid):
        await keeper.provide(Owner(Kind.BUILD, name))


# Files


async def test_a_file_is_written_for_the_owner_alone(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    await keeper.write(BUILD, "a/b.txt", b"one")
    await keeper.write(BUILD, "a/b.txt", b"two")
    file = folder / "a" / "b.txt"
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_uid == folder.stat().st_uid
    assert await lines_of(keeper, "cat", "a/b.txt") == ["two"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "a\0b"])
async def test_no_path_leads_out_of_the_folder(keeper: Keeper, path: str) -> None:
    await keeper.provide(BUILD)
    with pytest.raises(errors.Invalid):
        await keeper.write(BUILD, path, b"")
    with pytest.raises(errors.Invalid):
        await keeper.remove(BUILD, path)


async def test_links_are_not_followed(keeper: Keeper, home: pathlib.Path) -> None:
    await keeper.provide(BUILD)
    secret = home / "secret"
    secret.write_text("secret")
    await lines_of(keeper, "ln", "-s", str(home), "out")
    await lines_of(keeper, "ln", "-s", str(secret), "file")
    with pytest.raises(errors.ShipwayError):
        await keeper.write(BUILD, "out/planted", b"")
    with pytest.raises(errors.ShipwayError):
        await keeper.collect(BUILD, "file", home / "copy")
    with pytest.raises(errors.ShipwayError):
        await keeper.collect(BUILD, "out/secret", home / "copy")
    with pytest.raises(errors.ShipwayError):
        await keeper.seal(BUILD, "out")
    with pytest.raises(errors.ShipwayError):
        await lines_of(keeper, "ls", sandbox=Sandbox(readable=("out",)))
    await keeper.remove(BUILD, "out")
    assert secret.read_text() == "secret"
    assert not (home / "planted").exists()
    assert not (home / "copy").exists()


async def test_an_artifact_is_placed_read_only(keeper: Keeper, home: pathlib.Path) -> None:
    folder = await keeper.provide(SERVER)
    source = artifact(home, b"server")
    await keeper.place(SERVER, "releases/r/server", source)
    await keeper.place(SERVER, "releases/r/server", source)
    placed = folder / "releases/r/server"
    assert placed.read_bytes() == b"server"
    assert placed.stat().st_mode & 0o222 == 0


async def test_only_artifacts_are_placed(keeper: Keeper, home: pathlib.Path) -> None:
    await keeper.provide(SERVER)
    (home / "secret").write_text("secret")
    (home / "artifacts" / "link").symlink_to(home / "secret")
    for source in (home / "secret", home / "artifacts" / ".." / "secret", home / "artifacts/link"):
        with pytest.raises(errors.ShipwayError):
            await keeper.place(SERVER, "x", source)


async def test_an_artifact_with_other_bytes_than_its_name_says_is_refused(
    keeper: Keeper, home: pathlib.Path
) -> None:
    folder = await keeper.provide(SERVER)
    source = artifact(home, b"server")
    source.write_bytes(b"other")
    with pytest.raises(errors.Failed, match="other bytes"):
        await keeper.place(SERVER, "server", source)
    assert not (folder / "server").exists()


async def test_a_tar_file_is_unpacked_and_sealed(keeper: Keeper, home: pathlib.Path) -> None:
    folder = await keeper.provide(SERVER)
    member = tarfile.TarInfo("d/run")
    member.mode = 0o755
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "d/run"
    source = artifact(home, packed((member, b"#!/bin/sh\necho hi\n"), (link, b"")))
    await keeper.place(SERVER, "releases/r", source, unpack=True)
    await keeper.place(SERVER, "releases/r", source, unpack=True)
    said: list[str] = []
    task = Task(owner=SERVER, argv=("sh", "-c", "./link; touch d/x"), cwd="releases/r", key="k")
    assert await keeper.run(task, on_line=said.append) == 1
    assert said[0] == "hi"
    assert (folder / "releases/r/d").stat().st_mode & 0o222 == 0
    await keeper.remove(SERVER, "releases")
    assert not (folder / "releases").exists()


@pytest.mark.parametrize("case", ["parent", "absolute", "link", "through", "over", "hard", "pipe"])
async def test_a_tar_file_cannot_reach_out(keeper: Keeper, home: pathlib.Path, case: str) -> None:
    def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, to
        return member, b""

    def file(name: str) -> tuple[tarfile.TarInfo, bytes]:
        return tarfile.TarInfo(name), b"planted"

    cases = {
        "parent": [file("../../../planted")],
        "absolute": [file(str(home / "planted"))],
        "link": [link("out", "../../..")],
        "through": [link("a/b/here", "../.."), link("out", "a/b/here/.."), file("out/planted")],
        "over": [link("planted", "a"), file("planted")],
        "hard": [link("copy", "/etc/passwd", tarfile.LNKTYPE)],
        "pipe": [link("pipe", "", tarfile.FIFOTYPE)],
    }
    folder = await keeper.provide(SERVER)
    with pytest.raises(errors.Refused):
        await keeper.place(SERVER, "r", artifact(home, packed(*cases[case])), unpack=True)
    assert list(folder.iterdir()) == []
    assert not (home / "planted").exists()


async def test_a_sealed_folder_stays_as_it_is(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    await lines_of(keeper, "sh", "-c", "mkdir -p a/b && echo x >a/b/c && ln -s c a/b/d")
    await keeper.seal(BUILD, "a")
    said: list[str] = []
    for words in ("echo y >a/b/c", "touch a/b/new", "rm -f a/b/c", "mkdir a/c"):
        task = Task(owner=BUILD, argv=("sh", "-c", words), key="change")
        assert await keeper.run(task, on_line=said.append), words
    assert (folder / "a/b/c").read_text() == "x\n"
    await keeper.remove(BUILD, "a")
    await keeper.remove(BUILD, "a")
    assert not (folder / "a").exists()


async def test_what_a_task_made_is_collected(keeper: Keeper, home: pathlib.Path) -> None:
    await lines_of(keeper, "sh", "-c", "head -c 3000000 /dev/zero >big")
    await keeper.collect(BUILD, "big", home / "copy")
    assert (home / "copy").stat().st_size == 3_000_000
    with pytest.raises(errors.NotFound):
        await keeper.collect(BUILD, "missing", home / "other")
    assert not (home / "other").exists()


# Tasks


async def test_a_task_says_its_lines_and_its_status(keeper: Keeper) -> None:
    said: list[str] = []
    task = Task(
        owner=BUILD,
        argv=("sh", "-c", "cat; echo $A >&2; pwd; exit 7"),
        env={"A": "{owner}/x"},
        stdin=b"in\n",
        key="k",
    )
    folder = await keeper.provide(BUILD)
    assert await keeper.run(task, on_line=said.append) == 7
    assert sorted(said) == sorted(["in", f"{folder}/x", str(folder)])


async def test_a_task_runs_as_its_owner_without_any_right(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    said = await lines_of(
        keeper, "sh", "-c", "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status"
    )
    assert said[0] == str(folder.stat().st_uid)
    assert {line.split()[1] for line in said[1:]} == {"0000000000000000", "1"}


async def test_no_variable_reaches_a_process_of_the_keeper(keeper: Keeper) -> None:
    folder = await keeper.provide(BUILD)
    # Were it set for setpriv, the loader would complain about a missing library before "hi".
    said = await lines_of(keeper, "sh", "-c", "echo hi", env={"LD_PRELOAD": f"{folder}/no.so"})
    complaints = [line for line in said if "no.so" in line]
    assert not any("setpriv" in line or "bwrap" in line for line in complaints)
    assert "hi" in said


async def test_no_child_outlives_its_task(keeper: Keeper) -> None:
    said = await lines_of(keeper, "sh", "-c", f"setsid sleep 4242.{MARK} >/dev/null 2>&1 & echo $!")
    assert said
    await gone(f"4242.{MARK}")


async def test_a_task_out_of_time_is_ended(keeper: Keeper) -> None:
    task = Task(owner=BUILD, argv=("sleep", f"4243.{MARK}"), key="k", timeout=0.3)
    with pytest.raises(
        errors.Failed, match=rf"`sleep 4243.{MARK}` ran out of time after 0.3 seconds"
    ):
        await keeper.run(task)
    await gone(f"4243.{MARK}")


async def test_a_task_that_says_too_much_is_ended(keeper: Keeper) -> None:
    task = Task(owner=BUILD, argv=("yes",), key="k", output_bytes=10_000)
    with pytest.raises(errors.Failed, match="wrote more than 10,000 bytes"):
        await keeper.run(task)


async def test_cancelling_ends_a_task(keeper: Keeper) -> None:
    started = asyncio.Event()
    task = Task(owner=BUILD, argv=("sh", "-c", f"echo; sleep 4244.{MARK}"), key="k")
    running_task = asyncio.create_task(keeper.run(task, on_line=lambda _: started.set()))
    await started.wait()
    running_task.cancel()
    await asyncio.wait({running_task})
    assert running_task.cancelled()
    await gone(f"4244.{MARK}")


async def test_the_same_task_ends_its_predecessor(keeper: Keeper) -> None:
    started = asyncio.Event()
    first = Task(owner=BUILD, argv=("sh", "-c", f"echo; sleep 4245.{MARK}"), key="same")
    before = asyncio.create_task(keeper.run(first, on_line=lambda _: started.set()))
    await started.wait()
    assert await keeper.run(Task(owner=BUILD, argv=("true",), key="same")) == 0
    with pytest.raises(errors.Conflict, match="started again"):
        await before
    await gone(f"4245.{MARK}")


async def test_a_program_that_is_not_there_is_said_so(keeper: Keeper) -> None:
    said: list[str] = []
    task = Task(owner=BUILD, argv=("no-such-program",), key="k")
    assert await keeper.run(task, on_line=said.append) != 0
    assert any("no-such-program" in line for line in said)


# The sandbox


async def test_a_sandbox_shows_what_was_named_and_nothing_else(
    keeper: Keeper, home: pathlib.Path
) -> None:
    await keeper.provide(BUILD)
    await keeper.write(BUILD, "runs/one/src/file", b"x", mode=0o644)
    await keeper.write(BUILD, "private/file", b"x", mode=0o644)
    box = Sandbox(
        readable=("runs/one/src",),
        writable=("cache", "runs/one/src/out"),
        mounted_as={"runs/one/src": "src", "runs/one/src/out": "src/out"},
    )
    script = "ls; ls src; pwd; touch out/made ../cache/made; touch no; id -u"
    said: list[str] = []
    task = Task(owner=BUILD, argv=("sh", "-c", script), key="k", sandbox=box, cwd="src")
    assert await keeper.run(task, on_line=said.append) == 0
    assert "/box/src" in said
    assert any("Read-only" in line for line in said)
    listing = await lines_of(keeper, "ls", "/box", sandbox=box)
    assert set(listing) <= {"cache", "src", "tools"}
    everything = " ".join(await lines_of(keeper, "ls", "/", "/etc", sandbox=box))
    assert "root" not in everything.split()
    assert "shadow" not in everything
    with pytest.raises(AssertionError):
        await lines_of(keeper, "ls", str(home / "owners"), sandbox=box)
    assert await lines_of(keeper, "ls", "cache", "runs/one/src/out")


async def test_a_sandbox_has_loopback_and_no_network(keeper: Keeper) -> None:
    devices = await lines_of(keeper, "cat", "/proc/net/dev", sandbox=Sandbox())
    assert [line.split(":")[0].strip() for line in devices if ":" in line] == ["lo"]


async def test_a_sandbox_tells_its_user(keeper: Keeper) -> None:
    assert await lines_of(keeper, "id", "-un", sandbox=Sandbox()) == ["build"]


async def test_a_full_sandbox_disk_is_an_error_of_the_task(keeper: Keeper) -> None:
    box = Sandbox(temporary_bytes=1024**2)
    task = Task(
        owner=BUILD, argv=("sh", "-c", "head -c 9000000 /dev/zero >/tmp/x"), key="k", sandbox=box
    )
    said: list[str] = []
    assert await keeper.run(task, on_line=said.append) != 0
    assert any("No space left" in line for line in said)


async def test_memory_is_bounded(keeper: Keeper) -> None:
    box = Sandbox(memory_bytes=100 * 1024**2)
    task = Task(
        owner=BUILD,
        argv=("python3", "-c", "bytearray(400 * 1024**2)"),
        key="k",
        sandbox=box,
    )
    said: list[str] = []
    if os.geteuid() == 0:
        with pytest.raises(errors.Failed, match=r"ran out of memory \(limit 100 MB\)"):
            await keeper.run(task, on_line=said.append)
    else:
        assert await keeper.run(task, on_line=said.append) != 0
        assert any("MemoryError" in line for line in said)


async def test_processes_are_bounded(keeper: Keeper) -> None:
    box = Sandbox(processes=20)
    script = "for i in $(seq 60); do sleep 5 & done; wait"
    said: list[str] = []
    task = Task(owner=BUILD, argv=("sh", "-c", script), key="k", sandbox=box)
    if os.geteuid() == 0:
        with pytest.raises(errors.Failed, match=r"more processes than it may \(limit 20\)"):
            await keeper.run(task, on_line=said.append)
    else:
        assert await keeper.run(task, on_line=said.append) != 0
    assert any("fork" in line.lower() for line in said)


async def test_what_a_task_writes_is_bounded(keeper: Keeper) -> None:
    box = Sandbox(writable=("out",), disk_bytes=32 * 1024**2)
    fill = "i=0; while head -c 4000000 /dev/zero >out/$i; do i=$((i + 1)); done"
    task = Task(owner=BUILD, argv=("sh", "-c", fill), key="k", sandbox=box)
    with pytest.raises(errors.Failed, match=r"wrote .* \(limit 32.0 MiB\)") as failure:
        await keeper.run(task)
    assert "step_disk_gib" in failure.value.fix
    one = Task(owner=BUILD, argv=("head", "-c", "40000000", "/dev/zero"), key="k", sandbox=box)
    said: list[str] = []
    words = ("sh", "-c", "head -c 40000000 /dev/zero >out/one")
    task = Task(owner=BUILD, argv=words, key="k", sandbox=box)
    assert await keeper.run(task, on_line=said.append) != 0
    assert await keeper.run(one) == 0  # what is only said is no file


async def test_a_task_comes_behind_the_apps(keeper: Keeper) -> None:
    words = ("sh", "-c", "nice; cat /proc/self/oom_score_adj")
    assert await lines_of(keeper, *words, sandbox=Sandbox()) == ["10", "500"]


# Services


async def test_a_service_is_kept(keeper: Keeper) -> None:
    await keeper.keep(service())
    await says(keeper, "sleeper", "hello you")
    found = await seen(keeper)
    assert found.up
    assert found.wanted_up
    assert found.pid > 1
    assert found.owner == SERVER
    assert found.restarts == 0
    assert found.orphans == ()


async def test_keeping_the_same_again_changes_nothing(keeper: Keeper) -> None:
    await keeper.keep(service())
    before = await seen(keeper)
    await keeper.keep(service())
    assert (await seen(keeper)).pid == before.pid


async def test_another_definition_replaces_a_service(keeper: Keeper) -> None:
    await keeper.keep(service())
    before = await seen(keeper)
    await keeper.keep(service(env={"WHO": "them"}))
    await says(keeper, "sleeper", "hello them")
    assert (await seen(keeper)).pid != before.pid


async def test_values_arrive_as_they_are(keeper: Keeper) -> None:
    value = " two\nlines 'quoted' \"twice\" $HOME \\ \n"
    argv = ("python3", "-c", "import os; print(ascii(os.environ['V']), os.environ['E'] == '')")
    await keeper.keep(service(argv=argv, env={"V": value, "E": ""}))
    await says(keeper, "sleeper", f"{value!a} True")


async def test_variables_of_a_service_are_for_its_owner_alone(
    keeper: Keeper, home: pathlib.Path
) -> None:
    await keeper.keep(service(env={"WHO": "secret-value"}))
    for folder, _, files in os.walk(home / "services"):
        for name in files:
            path = pathlib.Path(folder, name)
            if path.is_file() and "secret-value" in path.read_text(errors="replace"):
                assert path.stat().st_mode & 0o077 == 0
    found = await seen(keeper)
    line = pathlib.Path(f"/proc/{found.pid}/cmdline").read_text()
    assert "secret-value" not in line


SECRETS = ("correct-horse-battery", "-----BEGIN KEY-----\nQUJDREVGRw==QUJD\n-----END KEY-----")
TELLS = """
import os, sys, time
key, horse = os.environ["KEY"], os.environ["HORSE"]
print("its key:", key, repr(key), flush=True)
print("x" * 70000 + horse, file=sys.stderr, flush=True)
for piece in ("in pieces: ", horse[:5], horse[5:9], horse[9:], "\\n"):
    sys.stdout.write(piece)
    sys.stdout.flush()
    time.sleep(0.05)
print("that is all", flush=True)
time.sleep(1000)
"""


async def test_what_a_service_tells_of_its_secrets_is_not_in_its_log(
    keeper: Keeper, home: pathlib.Path
) -> None:
    env = {"HORSE": SECRETS[0], "KEY": SECRETS[1]}
    told = service(argv=("python3", "-c", TELLS), env=env, secrets=SECRETS, grace=1.0)

    await keeper.keep(told)
    await says(keeper, "sleeper", "that is all")

    lines = [line.split("  ", 1)[-1] for line in await keeper.log_lines("sleeper", last=100)]
    assert lines[0].startswith("its key: ***")
    assert "in pieces: ***" in lines
    on_disk = b"".join(
        file.read_bytes() for file in (home / "logs" / "services" / "sleeper").iterdir()
    )
    assert len(on_disk) > 70_000
    assert not [
        line for secret in SECRETS for line in secret.split("\n") if line.encode() in on_disk
    ]


async def test_the_secrets_that_a_log_lacks_are_read_by_its_owner_alone(
    keeper: Keeper, local: LocalKeeper
) -> None:
    await keeper.keep(service(secrets=SECRETS))
    folder = local.tree.folder / ".kept" / "sleeper" / "log"
    found = (folder / "secrets").stat()
    assert found.st_mode & 0o777 == 0o400
    assert found.st_uid == (await keeper.provide(SERVER)).stat().st_uid
    assert SECRETS[0] not in (folder / "run").read_text()


def logging(home: pathlib.Path, program: str) -> psutil.Process:
    """Return one of the processes that write the log of the service."""
    folder = str(home / "logs" / "services" / "sleeper")
    running = psutil.process_iter(["name", "cmdline"])
    (found,) = [
        one
        for one in running
        if one.info["name"] == program and folder in (one.info["cmdline"] or ())
    ]
    return found


async def test_a_log_that_loses_its_process_goes_on(keeper: Keeper, home: pathlib.Path) -> None:
    ticks = ("sh", "-c", "while :; do echo tick $HORSE; sleep 0.1; done")
    await keeper.keep(service(argv=ticks, env={"HORSE": SECRETS[0]}, secrets=SECRETS, grace=1.0))
    await says(keeper, "sleeper", "tick")

    for program in ("s6-log", "python3"):
        logging(home, program).kill()
        lines = len(await log_of(keeper, "sleeper"))

        async def goes_on(before: int = lines) -> bool:
            return len(await log_of(keeper, "sleeper")) > before + 2

        await until(goes_on)
    assert not [line for line in await log_of(keeper, "sleeper") if SECRETS[0] in line]


async def test_dropping_ends_a_service_and_may_be_repeated(keeper: Keeper) -> None:
    await keeper.keep(service())
    await says(keeper, "sleeper", "hello")
    pid = (await seen(keeper)).pid
    await keeper.drop("sleeper")
    await keeper.drop("sleeper")
    assert list(await keeper.services()) == []
    assert not pathlib.Path(f"/proc/{pid}/cwd").exists()
    assert any("hello" in line for line in await keeper.log_lines("sleeper"))


async def test_a_service_that_ignores_the_signal_is_killed(keeper: Keeper) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    await keeper.keep(service(argv=stubborn, grace=0.5))
    await says(keeper, "sleeper", "ready")
    async with asyncio.timeout(15):
        await keeper.drop("sleeper")
    assert list(await keeper.services()) == []


async def test_the_stop_signal_is_the_service_s_own(keeper: Keeper) -> None:
    polite = ("python3", "-c", _UNTIL_INTERRUPTED)
    await keeper.keep(service(argv=polite, stop_signal="SIGINT", grace=10.0))
    await says(keeper, "sleeper", "ready")
    await keeper.drop("sleeper")
    assert any("interrupted" in line for line in await keeper.log_lines("sleeper"))


async def test_a_signal_reaches_the_service(keeper: Keeper) -> None:
    argv = ("sh", "-c", "trap 'echo hung up' HUP; echo ready; while :; do sleep 0.05; done")
    await keeper.keep(service(argv=argv, grace=1.0))
    await says(keeper, "sleeper", "ready")
    await keeper.signal("sleeper", "SIGHUP")
    await says(keeper, "sleeper", "hung up")
    with pytest.raises(errors.Invalid):
        await keeper.signal("sleeper", "SIGSEGV")
    with pytest.raises(errors.NotFound):
        await keeper.signal("nobody", "SIGHUP")


async def test_a_crash_is_counted_and_mended(keeper: Keeper) -> None:
    await keeper.keep(service(argv=("sh", "-c", "echo again; exit 1")))

    async def has_died_twice() -> bool:
        return (await seen(keeper)).restarts >= 2

    await until(has_died_twice)
    async with asyncio.timeout(5):  # the back-off is cut short
        await keeper.drop("sleeper")


async def test_services_are_found_by_prefix(keeper: Keeper) -> None:
    await keeper.keep(service("server.a.1"))
    await keeper.keep(service("server.b.1"))
    assert [one.name for one in await keeper.services("server.b")] == ["server.b.1"]
    assert len(await keeper.services("server.")) == 2
    with pytest.raises(errors.Conflict):
        await keeper.withdraw(SERVER)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../x"},
        {"name": ".hidden"},
        {"name": "a/b"},
        {"argv": ()},
        {"argv": ("A=b",)},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0y"}},
        {"stop_signal": "SIGWHAT"},
        {"cwd": "../.."},
    ],
)
async def test_a_service_that_cannot_be_kept_is_refused(
    keeper: Keeper, changes: dict[str, object]
) -> None:
    with pytest.raises(errors.Invalid):
        await keeper.keep(service(**changes))  # type: ignore[arg-type]
    assert list(await keeper.services()) == []


_UNTIL_INTERRUPTED = """
import time
print("ready", flush=True)
try:
    time.sleep(1000)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def running(word: str) -> bool:
    """Say whether a process with this word among its arguments runs."""
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and word in (folder / "cmdline").read_text().split("\0"):
                return True
    return False


async def gone(word: str) -> None:
    async def is_gone() -> bool:
        return not running(word)

    await until(is_gone)
