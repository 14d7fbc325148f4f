"""How the Expo dev server is started, by a stand-in that says what it was told."""

from __future__ import annotations

import pathlib
import signal
import sys
from collections.abc import Callable

import pytest
from tests.integration.local.conftest import Dev

pytestmark = pytest.mark.anyio

EXPO = f"""#!{sys.executable}
import http.server, os, sys
print("arguments", *sys.argv[1:], flush=True)
for name in ("CI", "EXPO_PUBLIC_DOMAIN", "EXPO_PUBLIC_API_URL", "REACT_NATIVE_PACKAGER_HOSTNAME", "SECRET"):
    print(name, "is", os.environ.get(name), flush=True)
class Metro(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"packager-status:running")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Metro).serve_forever()
"""


@pytest.fixture
def app(tmp_path: pathlib.Path) -> pathlib.Path:
    """A client and nothing else."""
    folder = tmp_path / "app"
    program = folder / "client" / "bin" / "expo"
    program.parent.mkdir(parents=True)
    program.write_text(EXPO)
    program.chmod(0o755)
    (folder / ".env").write_text("SECRET=of the server\n")
    (folder / "shipway.toml").write_text(
        'name = "shop"\n[client]\nfolder = "client"\n[[install]]\nname = "client"\n'
        'folder = "client"\nrun = ["sh", "-c", "mkdir -p node_modules && cp -r bin node_modules/.bin"]\n'
    )
    return folder


Begin = Callable[[pathlib.Path], Dev]


async def test_expo_is_told_what_is_public_and_where_to_listen(
    begin: Begin, app: pathlib.Path
) -> None:
    dev = begin(app)
    await dev.start()
    await dev.says("All of it runs")
    assert f"client     | arguments start --localhost --port {dev.client_port}" in dev.text
    assert f"EXPO_PUBLIC_DOMAIN is localhost:{dev.port}" in dev.text
    assert "CI is None" in dev.text, "with CI, Expo would not reload"
    assert "SECRET is None" in dev.text
    await dev.says(f"client    http://localhost:{dev.client_port}")
    assert await dev.ends(by=signal.SIGINT) == 0
    assert dev.left() == []


async def test_a_phone_is_told_this_machines_address(begin: Begin, app: pathlib.Path) -> None:
    dev = begin(app)
    dev.more["REACT_NATIVE_PACKAGER_HOSTNAME"] = "192.0.2.7"
    await dev.start("--lan")
    await dev.says("All of it runs")
    assert f"arguments start --lan --port {dev.client_port}" in dev.text
    assert f"EXPO_PUBLIC_API_URL is http://192.0.2.7:{dev.port}" in dev.text
    await dev.says(f"phone     exp://192.0.2.7:{dev.client_port} in Expo Go")
    assert await dev.ends(by=signal.SIGINT) == 0


async def test_when_expo_ends_all_of_it_does(begin: Begin, app: pathlib.Path) -> None:
    dev = begin(app)
    await dev.start()
    await dev.says("All of it runs")
    with pytest.raises(Exception, match="disconnected"):
        await dev.asks("/die", port=dev.client_port)
    assert await dev.ends() == 8
    assert "The Expo dev server ended with status 3" in dev.text
    assert dev.left() == []


async def test_without_the_client_there_is_no_expo(begin: Begin, app: pathlib.Path) -> None:
    dev = begin(app)
    await dev.start("--no-client")
    await dev.says("All of it runs")
    assert "arguments" not in dev.text
    assert not (dev.clone / "client" / "node_modules").exists()
    await dev.ends(by=signal.SIGINT)
