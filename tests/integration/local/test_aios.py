"""`shipway dev` on the example app: a clean clone serves the API and the Expo dev server."""

from __future__ import annotations

import pathlib
import signal
from collections.abc import Callable

import pytest
from tests.integration.local.conftest import ROOT, Dev

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]

AIOS = ROOT / "examples" / "aios"


async def test_the_example_app_runs_from_a_clean_clone(
    begin: Callable[[pathlib.Path], Dev],
) -> None:
    dev = begin(AIOS)
    await dev.start()
    await dev.says("All of it runs", timeout=1000)
    assert (await dev.asks("/health")).json()["status"] == "healthy"
    assert (await dev.asks("/status", port=dev.client_port)).text == "packager-status:running"
    assert not (dev.clone / "e2e" / "node_modules").exists(), "nothing here needs it"

    greeting = dev.clone / "api" / "src" / "aios" / "greeting.py"
    words = (await dev.asks("/version")).json()["greeting"]
    greeting.write_text(greeting.read_text().replace(words, "Hello from a change"))
    await dev.becomes("/version", lambda text: "Hello from a change" in text, timeout=60)

    assert await dev.ends(by=signal.SIGINT) == 0
    assert dev.left() == []
