"""The server as a process: how it starts, refuses to start, and stops."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from conftest import API_FOLDER

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(API_FOLDER / "src"), **variables}


@contextmanager
def running_server(db_url: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    variables = environment(NODE_ENV="test", PORT=str(port), DB_URL=db_url)
    with subprocess.Popen([sys.executable, "-m", "aios.main"], env=variables) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_healthy(address)
            yield process, address
        finally:
            process.kill()


def wait_until_healthy(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{address}/health").raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{address} did not become healthy")


def test_a_deployed_server_without_its_variables_does_not_start() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "aios.main"],
        env=environment(NODE_ENV="production", DB_URL="", JWT_SECRET="short"),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("AIOS cannot start. Correct these environment variables:")
    assert "DB_URL is missing." in run.stderr
    assert "Traceback" not in run.stderr


def test_on_sigterm_an_open_request_is_answered_before_the_server_ends(migrated_db_url: str) -> None:
    with running_server(migrated_db_url) as (process, address):
        statuses: list[int] = []
        slow = threading.Thread(target=lambda: statuses.append(register_slowly(address)))
        slow.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        slow.join(timeout=20)
        process.wait(timeout=20)
    assert statuses == [201]


def register_slowly(address: str) -> int:
    """Send half of a request before the signal and the other half after it."""
    content = f'{{"email": "{time.time_ns()}@example.com", "password": "correct horse"}}'.encode()

    def halves() -> Iterator[bytes]:
        yield content[:10]
        time.sleep(1.5)
        yield content[10:]

    headers = {"Content-Type": "application/json"}
    return httpx2.post(f"{address}/accounts", content=halves(), headers=headers).status_code
