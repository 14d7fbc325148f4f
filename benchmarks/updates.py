"""Checks for updates per second, what each costs, and what a patch spares: `./dev bench updates`.

In one run on this machine: a static answer of the same size by the same HTTP server, from memory and
with the headers that a file has, is the ceiling; rounds alternate, so that a busy machine slows both alike. Figures of CPU are of the server's
process alone. `--peer URL` asks another Expo update server the same; `--quick` leaves out the real
exports, from which the sizes of patches come.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess  # noqa: TID251 -- outside of the house: it measures processes
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import checks, figures
from bench.checks import Server

from shipway.builds.box import client
from shipway.kit import clock
from shipway.updates import board, bsdiff, files, manifests, model, signing
from shipway.updates.manifests import Asset, Contents

HERE = pathlib.Path(__file__).parent
CLIENT = HERE.parent / "examples" / "aios" / "client"
CONNECTIONS = 8
ROUNDS = 5
ROUND_SECONDS = 2.0
FEWEST_OF_CEILING = 0.7

STATIC = """
from shipway.intake.app import Intake

class Static:
    def __init__(self, body): self.body = body
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown": return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode()),
                   (b"last-modified", b"Mon, 23 Nov 2026 00:00:00 GMT"), (b"accept-ranges", b"bytes"),
                   (b"etag", b'"0123456789abcdef0123456789abcdef"')]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
"""

SERVE = """
import sys, pathlib, uvicorn
from shipway.intake.boards import Boards
from shipway.intake.exports import Exports
from shipway.intake.sightings import Sightings
from shipway.intake.updates import Updates
from shipway.kit.blobs import Blobs
from shipway.updates.files import Files
home, port, size = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
own = home / "intake"
updates = Updates(Boards(home / "boards"), Files(home / "files"), Sightings(own / "sightings"))
app = Static(b"x" * size) if size else Intake(Exports(own / "exports", Blobs(home / "artifacts")), updates)
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False,
            proxy_headers=False, server_header=False, timeout_keep_alive=75)
"""


def main() -> int:
    arguments = _arguments()
    load = os.getloadavg()
    peer = Server(arguments.peer, arguments.peer_pid) if arguments.peer else None
    with tempfile.TemporaryDirectory(prefix="shipway-bench-", dir="/var/tmp") as folder:
        home = pathlib.Path(folder)
        size = lay_out(home)
        with serving(home, 0) as updates, serving(home, size) as static:
            found = asyncio.run(measure(home, updates, static, peer))
    if not arguments.quick:
        found["patches"] = patches()
    tell(found)
    figures.end("updates", found, load)
    return 0


def tell(found: Mapping[str, Any]) -> None:
    """Print tables for people."""
    head = ("", "per second", "CPU ms", "p50 ms", "p99 ms")
    asked = {**found, "an asset of 1 MiB, cached": found["assets"]["cached"]}
    rows = [
        (name.replace("_", " "), *one.values())
        for name, one in asked.items()
        if isinstance(one, dict) and set(one) == {"per_second", "cpu_ms", "p50_ms", "p99_ms"}
    ]
    figures.table("checks for updates", [head, *rows])
    goal = f"goal {FEWEST_OF_CEILING}"
    parts = (("throughput", found["of_ceiling"]), ("CPU", found["of_ceiling_by_cpu"]))
    figures.table(f"part of the ceiling ({goal})", [("", "part"), *parts])
    changes = [(k, v) for k, v in found.get("patches", {}).items() if "patch" in v]
    if "times_the_peer" in found:
        figures.table("beside the peer", [("", "times"), ("checks", found["times_the_peer"])])
    sizes = [(k.replace("_", " "), v["patch"], v["smallest_full"], v["part"]) for k, v in changes]
    if sizes:
        figures.table("patches, in bytes", [("", "patch", "smallest full", "part"), *sizes])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Checks for updates, and the sizes of patches")
    parser.add_argument("--peer", default="", help="the manifest URL of another update server")
    parser.add_argument("--peer-pid", type=int, default=0, help="its process, for CPU and memory")
    parser.add_argument("--quick", action="store_true", help="without real exports")
    return parser.parse_args()


# --- what is served ---------------------------------------------------------------------------------


def lay_out(home: pathlib.Path) -> int:
    """Lay out a signed update with 40 assets. Returns the bytes of its answer, roughly."""
    private, certificate = signing.make("bench", now=clock.now())
    launch = os.urandom(1024 * 1024)
    names = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(40)]
    sha256 = hashlib.sha256(launch).hexdigest()
    contents = Contents(
        platform="ios",
        runtime="bench",
        launch=Asset(key="0" * 32, sha256=sha256, ending=manifests.BUNDLE, size=len(launch)),
        assets=[Asset(key=name[:32], sha256=name, ending="png", size=1000) for name in names],
        metadata={"branch": "production"},
    )
    text = manifests.manifest(
        contents, id=str(uuid.uuid4()), created=1, base_url="https://bench.localhost"
    )

    def signed(body: str) -> model.Signed:
        return model.Signed(body=body, signatures={"main": signing.sign(private, body.encode())})

    entry = model.Entry(
        id=json.loads(text)["id"], kind="update", created=1, signed=signed(text), launch=sha256
    )
    line = model.Line(platform="ios", runtime="bench", entries=(entry,), known={entry.id: 1})
    made = board.Board(
        app="bench",
        channel="production",
        branch="production",
        no_update=signed(manifests.no_update()),
        lines=(line,),
        chains={"main": ""},
    )
    board.write(home / "boards", made)
    source = home / "launch"
    source.write_bytes(launch)
    asyncio.run(files.Files(home / "files").add(source, sha256, manifests.BUNDLE))
    (home / "asset").write_text(f"{manifests.ASSETS}{sha256}.{manifests.BUNDLE}")
    (home / "update").write_text(entry.id)
    assert signing.read_certificate(certificate)
    return len(text) + 900


@contextlib.contextmanager
def serving(home: pathlib.Path, size: int) -> Iterator[Server]:
    """Serve the updates, or ``size`` static bytes, in a process of its own."""
    port = _free_port()
    code = STATIC + SERVE
    process = subprocess.Popen([sys.executable, "-c", code, str(home), str(port), str(size)])
    try:
        _wait_for(port)
        yield Server(f"http://127.0.0.1:{port}{manifests.MANIFEST}", process.pid)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # noqa: TID251 -- a port has no event
    raise TimeoutError(port)


# --- asking -----------------------------------------------------------------------------------------


async def measure(
    home: pathlib.Path, updates: Server, static: Server, peer: Server | None
) -> dict[str, Any]:
    running, fresh = (home / "update").read_text(), str(uuid.uuid4())
    found: dict[str, Any] = {}
    for known in (1, 100, 1000):
        both = [checks.devices(server, known, fresh) for server in (updates, static)]
        rounds = await _rounds(updates, both[0], static, both[1])
        found[f"manifest_{known}_devices"] = checks.told(rounds[0])
        found["static_same_size"] = checks.told(rounds[1])
    ours, ceiling = found["manifest_1000_devices"], found["static_same_size"]
    found["of_ceiling"] = round(ours["per_second"] / ceiling["per_second"], 3)
    found["of_ceiling_by_cpu"] = round(ceiling["cpu_ms"] / ours["cpu_ms"], 3)
    had = checks.devices(updates, 1000, running)
    nothing = await checks.ask(updates, had, ROUND_SECONDS, at_once=CONNECTIONS)
    found["nothing_new_1000_devices"] = checks.told([nothing])
    new = checks.devices(updates, 1000, fresh)
    storm = await checks.ask(updates, new, ROUND_SECONDS * 2, at_once=200)
    found["push_storm_200_at_once"] = checks.told([storm])
    found["assets"] = await _assets(home, updates, fresh)
    found["memory_mib"] = {
        "updates": round(updates.memory / 2**20, 1),
        "static": round(static.memory / 2**20, 1),
    }
    return found | (await _beside(updates, peer, fresh) if peer else {})


async def _beside(updates: Server, peer: Server, fresh: str) -> dict[str, Any]:
    """Ask another update server the same, in turns with ours."""
    both = [checks.devices(server, 1000, fresh) for server in (updates, peer)]
    ours, theirs = await _rounds(updates, both[0], peer, both[1])
    storm = await checks.ask(peer, both[1], ROUND_SECONDS * 2, at_once=200)
    told = {
        "peer_1000_devices": checks.told(theirs),
        "peer_push_storm_200_at_once": checks.told([storm]),
        "ours_beside_the_peer": checks.told(ours),
    }
    rates = [statistics.median(one.rate for one in rounds) for rounds in (ours, theirs)]
    sizes = {"ours": ours[-1].bytes, "peer": theirs[-1].bytes}
    memory = round(peer.memory / 2**20, 1) or None
    return told | {
        "times_the_peer": figures.ratio(*rates),
        "bytes_of_an_answer": sizes,
        "peer_memory_mib": memory,
    }


async def _rounds(
    one: Server, ones: Sequence[bytes], other: Server, others: Sequence[bytes]
) -> tuple[list[checks.Round], list[checks.Round]]:
    """Ask both in turns."""
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(await checks.ask(one, ones, ROUND_SECONDS, at_once=CONNECTIONS))
        theirs.append(await checks.ask(other, others, ROUND_SECONDS, at_once=CONNECTIONS))
    return mine, theirs


async def _assets(home: pathlib.Path, updates: Server, fresh: str) -> dict[str, Any]:
    path = (home / "asset").read_text()
    device = [checks.request(updates, str(uuid.uuid4()), fresh, path)]
    first = await checks.ask(updates, device, 0.0, at_once=1)
    kept = await checks.ask(updates, device, ROUND_SECONDS, at_once=CONNECTIONS)
    return {
        "bytes": 1024 * 1024,
        "first_ms": round(first.latencies[0] * 1000, 2),
        "cached": checks.told([kept]),
    }


# --- patches of real exports ------------------------------------------------------------------------

SCREEN = """import { Text, View } from 'react-native';

export default function Extra() {
  return (
    <View>
      {['one', 'two', 'three'].map((name) => (
        <Text key={name}>A new screen says {name}.</Text>
      ))}
    </View>
  );
}
"""


def patches() -> dict[str, Any]:
    """Export the example for Android, and again with three changes, as the builds do; compare."""
    if not (CLIENT / "node_modules").is_dir():
        return {"skipped": f"{CLIENT} has no node_modules: run npm ci there"}
    with tempfile.TemporaryDirectory(prefix="shipway-bench-", dir="/var/tmp") as folder:
        copy = pathlib.Path(folder) / "client"
        left_out = shutil.ignore_patterns("node_modules", ".expo", "dist")
        shutil.copytree(CLIENT, copy, ignore=left_out)
        (copy / "node_modules").symlink_to(CLIENT / "node_modules")
        before = _exported(copy)
        found = {"full": _sizes(before.read_bytes())}
        about = copy / "src" / "app" / "(tabs)" / "about.tsx"
        text = about.read_text()
        about.write_text(text.replace('"The server"', '"The server says"'))
        found["one_line_without_base"] = _patched(before, _exported(copy))
        found["one_line"] = _patched(before, _exported(copy, before))
        about.write_text(text + "\nexport const extra = () => [1, 2, 3].map((n) => n * 2);\n")
        found["new_function"] = _patched(before, _exported(copy, before))
        (copy / "src" / "app" / "extra.tsx").write_text(SCREEN)
        found["new_screen"] = _patched(before, _exported(copy, before))
        return found


def _exported(folder: pathlib.Path, base: pathlib.Path | None = None) -> pathlib.Path:
    """Return the bundle of an export, made by the recipe of the builds. Metro's cache is kept."""
    scratch = folder.parent / uuid.uuid4().hex
    scratch.mkdir()
    (folder.parent / "tmp").mkdir(exist_ok=True)
    (scratch / "tmp").symlink_to(folder.parent / "tmp")
    with contextlib.redirect_stdout(sys.stderr):
        made = client.export(folder, "android", {}, scratch, base)
    (bundle,) = made.rglob("*.hbc")
    return bundle


def _sizes(bundle: bytes) -> dict[str, int]:
    return {"raw": len(bundle)} | {
        name: len(data) for name, data in files.compressed(bundle).items()
    }


def _patched(old: pathlib.Path, new: pathlib.Path) -> dict[str, Any]:
    began = time.monotonic()
    patch = bsdiff.make(old.read_bytes(), new.read_bytes())
    seconds = round(time.monotonic() - began, 2)
    smallest = min(_sizes(new.read_bytes()).values())
    return {
        "patch": len(patch),
        "smallest_full": smallest,
        "part": round(len(patch) / smallest, 4),
        "made_in_seconds": seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
