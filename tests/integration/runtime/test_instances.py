"""Instances of a real server on real ports, kept by the real keeper, recorded in PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import os
import pathlib
import signal
import socket
import tarfile
import zipfile
from collections.abc import AsyncIterator

import psutil
import pytest

from shipway.kit import db, errors, http, settings
from shipway.runtime import listening
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.instances import Instances
from shipway.runtime.model import Ailment, Instance, Kind, Owner, Start, Task

pytestmark = pytest.mark.anyio

SLOW_SECONDS = int(os.environ.get("SHIPWAY_SLOW_SECONDS", "3"))
"""How long a slow server takes to start; `./dev soak` gives it 90."""

OWNER = Owner(Kind.SERVER, "tiny", "staging")
SERVER = b"""
import http.server, json, os, signal, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"release": os.environ["RELEASE"], "pid": os.getpid()}).encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""

SHIV_LIKE = b"""
import importlib, os, pathlib, sys, zipfile
root = pathlib.Path(os.environ["SHIV_ROOT"]) / "server_1234"
if not root.exists():
    zipfile.ZipFile(sys.argv[0]).extractall(root)
sys.path.insert(0, str(root / "site-packages"))
module, _, function = os.environ.get("SHIV_ENTRY_POINT", "tiny:main").partition(":")
sys.exit(getattr(importlib.import_module(module), function)())
"""


@pytest.fixture
async def keeper(home: pathlib.Path) -> AsyncIterator[LocalKeeper]:
    (home / "artifacts").mkdir()
    made = LocalKeeper(home, settings.load(home=home))
    try:
        yield made
    finally:
        for name in made.tree.names():
            await made.drop(name)
        await made.tree.stop_watching()
        await made.withdraw(OWNER)
        await made.users.remove_group()
        made.groups.remove()


@pytest.fixture
def instances(keeper: LocalKeeper, database: db.Database, home: pathlib.Path) -> Instances:
    # Tests that run side by side must not meet at a port.
    first = 24300 + os.getpid() % 50 * 10
    ports = (first, first + 9)
    return Instances(keeper, database, settings.load(home=home, instance_ports=ports))


def artifact(home: pathlib.Path, data: bytes) -> pathlib.Path:
    path = home / "artifacts" / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


async def prepared(instances: Instances, home: pathlib.Path, release: str = "rel_1") -> Start:
    await instances.prepare(
        "tiny", "staging", release,
        kind="command", server=artifact(home, SERVER), database_files=None,
    )  # fmt: skip
    return Start(
        app="tiny",
        environment="staging",
        release=release,
        deployment=f"dep_{release}",
        index=0,
        kind="command",
        argv=("python3", "{server}"),
        env={"RELEASE": release},
        drain_seconds=5.0,
    )


async def answer(instance: Instance) -> dict[str, object]:
    async with http.client(base_url=f"http://{instance.address}") as client:
        found: dict[str, object] = (await client.get("/")).json()
        return found


async def test_from_artifact_to_answer_and_away(instances: Instances, home: pathlib.Path) -> None:
    start = await prepared(instances, home)
    instance = await instances.start(start)
    await instances.wait_ready(instance, health="/", timeout=20)
    assert (await answer(instance))["release"] == "rel_1"
    assert await instances.alive(instance)
    assert await instances.everywhere() == [(instance.place, True)]
    assert await instances.running("tiny", "staging") == [instance]
    assert await instances.reconcile() == ()
    await instances.stop(instance)
    await instances.stop(instance)
    assert not await instances.alive(instance)
    assert await instances.running("tiny", "staging") == []


async def test_a_place_is_taken_once(instances: Instances, home: pathlib.Path) -> None:
    start = await prepared(instances, home)
    first = await instances.start(start)
    await instances.wait_ready(first, health="/", timeout=20)
    pid = (await answer(first))["pid"]
    assert await instances.start(start) == first
    assert (await answer(first))["pid"] == pid
    second = await instances.start(dataclasses.replace(start, index=1))
    assert second.address != first.address


async def test_ports_in_use_are_passed_over_and_rest_before_they_return(
    keeper: LocalKeeper, database: db.Database, home: pathlib.Path
) -> None:
    ports = (24250, 24252)
    instances = Instances(keeper, database, settings.load(home=home, instance_ports=ports))
    start = await prepared(instances, home)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 24250))
        other.listen()
        first = await instances.start(start)
        second = await instances.start(dataclasses.replace(start, index=1))
        assert [first.address.port, second.address.port] == [24251, 24252]
        with pytest.raises(errors.Unavailable, match="instance_ports"):
            await instances.start(dataclasses.replace(start, index=2))
    await instances.stop(first)
    third = await instances.start(dataclasses.replace(start, index=2))
    assert third.address.port == 24250


async def test_a_server_that_dies_at_its_start_says_why(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    argv = ("python3", "-c", "raise SystemExit('no database')")
    instance = await instances.start(dataclasses.replace(start, argv=argv))
    with pytest.raises(errors.Failed, match=r"died 3 times at its start.*no database"):
        await instances.wait_ready(instance, health="/", timeout=60)


async def test_a_server_that_never_gets_ready_says_what_it_answered(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    instance = await instances.start(
        dataclasses.replace(start, env={"RELEASE": "rel_1", "STATUS": "503"})
    )
    with pytest.raises(errors.Failed, match=r"did not answer /health with 200 in 3 .*with 503"):
        await instances.wait_ready(instance, health="/health", timeout=3)


async def test_a_process_that_keeps_the_port_of_a_dead_instance_is_ended(
    instances: Instances, keeper: LocalKeeper, home: pathlib.Path
) -> None:
    """Else its successor would die at its start again and again."""
    start = await prepared(instances, home)
    leak = (
        "import os, sys, time\n"
        "def leak():\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(600)\n"
        "code = open(sys.argv[1]).read()\n"
        "exec(code.replace('server.serve_forever()', 'leak(); server.serve_forever()'))\n"
    )
    argv = ("python3", "-c", leak, "{server}")
    instance = await instances.start(dataclasses.replace(start, argv=argv))
    await instances.wait_ready(instance, health="/", timeout=20)
    pid = (await answer(instance))["pid"]
    assert isinstance(pid, int)
    (leaked,) = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)

    told: list[str] = []
    async with asyncio.timeout(60):
        while not told:
            told = await keeper.sweep()
            await asyncio.sleep(0.05)
    held = f"held the port of {instance.service}, which could not start: it was ended."
    assert told == [f"Process {leaked.pid} {held}"]
    await instances.wait_ready(instance, health="/", timeout=60, crashes=1000)
    assert (await answer(instance))["pid"] not in {pid, leaked.pid}
    await instances.stop(instance)  # and with it what the second one has left
    assert listening.is_free(instance.address.port)


async def test_a_server_that_ignores_the_signal_is_gone_after_its_drain_seconds(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    deaf = "import signal, sys\nsignal.signal = lambda *_: None\nexec(open(sys.argv[1]).read())"
    ignoring = ("sh", "-c", 'trap "" TERM; exec python3 -c "$0" "$1"', deaf, "{server}")
    wanted = dataclasses.replace(start, argv=ignoring, drain_seconds=1.0)
    instance = await instances.start(wanted)
    await instances.wait_ready(instance, health="/", timeout=20)
    pid = (await answer(instance))["pid"]
    assert isinstance(pid, int)
    await instances.stop(instance)
    assert not psutil.pid_exists(pid)
    assert listening.is_free(instance.address.port)


async def test_a_server_that_takes_its_time_is_waited_for_or_told_what_to_raise(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    argv = ("sh", "-c", f'sleep {SLOW_SECONDS}; exec python3 "$0"', "{server}")
    instance = await instances.start(dataclasses.replace(start, argv=argv))
    with pytest.raises(errors.Failed) as impatient:
        await instances.wait_ready(instance, health="/", timeout=1)
    assert "with 200 in 1 seconds" in impatient.value.what
    assert "raise `ready_seconds` in [server] of shipway.toml" in impatient.value.fix
    await instances.wait_ready(instance, health="/", timeout=SLOW_SECONDS + 30)
    assert (await answer(instance))["release"] == "rel_1"


@pytest.mark.skipif(os.geteuid() != 0, reason="without root there is only one user")
async def test_a_stranger_at_the_port_is_not_taken_for_the_instance(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    argv = ("sh", "-c", "sleep 3; exec python3 -c 'raise SystemExit(1)'")
    instance = await instances.start(dataclasses.replace(start, argv=argv))

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", instance.address.port):
        assert not await instances.alive(instance)
        with pytest.raises(errors.Failed):
            await instances.wait_ready(instance, health="/", timeout=1)


async def test_an_orphan_gets_a_successor_on_another_port(
    instances: Instances, keeper: LocalKeeper, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    lost = await instances.start(start)
    await instances.wait_ready(lost, health="/", timeout=20)
    pid = (await answer(lost))["pid"]
    assert isinstance(pid, int)
    supervisor = _parent(pid)
    assert supervisor > 1
    assert pathlib.Path(f"/proc/{supervisor}/comm").read_text() == "s6-supervise\n"
    os.kill(supervisor, signal.SIGKILL)

    async with asyncio.timeout(30):
        while not (found := await instances.reconcile()):  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.05)
    assert [(one.instance, one.ailment) for one in found] == [(lost, Ailment.ORPHANED)]
    assert str(pid) in found[0].sentence
    # The steward leaves instances alone.
    await keeper.sweep()
    assert (await answer(lost))["pid"] == pid

    successor = await instances.start(start, beside=lost)
    assert await instances.start(start, beside=lost) == successor
    assert successor.address != lost.address
    await instances.wait_ready(successor, health="/", timeout=20)
    await instances.stop(lost)
    assert await instances.reconcile() == ()
    assert await instances.running("tiny", "staging") == [successor]
    assert not pathlib.Path(f"/proc/{pid}/cwd").exists()


async def test_what_is_gone_is_found_and_started_again(
    instances: Instances, keeper: LocalKeeper, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    lost = await instances.start(start)
    await keeper.drop(lost.service)
    (found,) = await instances.reconcile()
    assert (found.instance, found.ailment) == (lost, Ailment.GONE)
    assert await instances.start(start) == lost
    await instances.wait_ready(lost, health="/", timeout=20)


async def test_a_stop_that_was_interrupted_is_finished(
    instances: Instances, database: db.Database, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    instance = await instances.start(start)
    await database.run("update runtime.instances set leaving = true")
    assert await instances.running("tiny", "staging") == []
    assert await instances.reconcile() == ()
    assert not await instances.alive(instance)
    assert await database.rows("select 1 from runtime.instances") == []


async def test_a_python_server_is_unpacked_by_its_own_file(
    instances: Instances, keeper: LocalKeeper, home: pathlib.Path
) -> None:
    source = b"def main():\n" + b"".join(b"    " + x + b"\n" for x in SERVER.split(b"\n"))
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as file:
        file.writestr("__main__.py", SHIV_LIKE)
        file.writestr("site-packages/tiny.py", source)
        file.writestr("site-packages/tiny_head.py", "print('0001')\n")
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as archive:
        member = tarfile.TarInfo("alembic.ini")
        archive.addfile(member, io.BytesIO())
    server, database_files = artifact(home, bundle.getvalue()), artifact(home, files.getvalue())
    for _ in range(2):
        found = await instances.prepare(
            "tiny", "staging", "rel_1",
            kind="python", server=server, database_files=database_files,
        )  # fmt: skip

    said: list[str] = []
    head = ("sh", "-c", "ls; python -m tiny_head; touch x")
    task = Task(owner=OWNER, argv=head, cwd=found.cwd, env=found.env, key="head")
    assert await keeper.run(task, on_line=said.append) != 0
    assert said[:2] == ["alembic.ini", "0001"]

    start = await prepared(instances, home)  # the release is there already and stays
    instance = await instances.start(dataclasses.replace(start, kind="python", argv=()))
    await instances.wait_ready(instance, health="/", timeout=20)
    assert (await answer(instance))["release"] == "rel_1"


NODE_SERVER = b"""
const fs = require("node:fs");
const words = fs.readFileSync("words.txt", "utf8");
fs.mkdirSync("logs", { recursive: true });
fs.writeFileSync("logs/one", "x");
let refused = "";
try { fs.writeFileSync("words.txt", "other"); } catch (error) { refused = error.code; }
require("node:http")
  .createServer((_, answer) => answer.end(JSON.stringify({ release: words, pid: refused })))
  .listen(process.env.PORT, process.env.HOST);
"""


async def test_a_node_server_is_started_where_its_files_are_and_may_write_beside_them(
    instances: Instances, keeper: LocalKeeper, home: pathlib.Path
) -> None:
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as archive:
        for name, data in (("api/dist/main.js", NODE_SERVER), ("api/words.txt", b"hello")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    server = artifact(home, files.getvalue())
    await instances.prepare(
        "tiny", "staging", "rel_1", kind="node", folder="api", server=server, database_files=None
    )
    start = Start(
        app="tiny", environment="staging", release="rel_1", deployment="dep_1", index=0,
        kind="node", main="api/dist/main.js", cwd="api",
    )  # fmt: skip
    instance = await instances.start(start)
    await instances.wait_ready(instance, health="/", timeout=20)
    assert await answer(instance) == {"release": "hello", "pid": "EACCES"}
    await instances.stop(instance)
    await instances.discard("tiny", "staging", "rel_1")
    left = Task(owner=OWNER, argv=("ls", "work", "releases"), key="left")
    said: list[str] = []
    await keeper.run(left, on_line=said.append)
    assert "rel_1" not in said


async def test_variables_that_change_how_the_server_unpacks_are_refused(
    instances: Instances, home: pathlib.Path
) -> None:
    start = await prepared(instances, home)
    with pytest.raises(errors.Refused, match="SHIV_ENTRY_POINT"):
        await instances.start(dataclasses.replace(start, env={"SHIV_ENTRY_POINT": "os:abort"}))


def _parent(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    return 0
