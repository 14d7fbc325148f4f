"""End-to-end tests drive a browser inside the sandbox."""

from __future__ import annotations

import pathlib

import pytest
from tests.integration.builds.conftest import Site

from shipway.builds.model import BuildStep, StepKind
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio

CHROMIUM = pathlib.Path("/usr/bin/chromium")


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
async def test_a_step_can_open_a_page(site: Site) -> None:
    page = "<title>notes</title><script>document.title += ' loaded'</script>"
    commit = await site.app("page", {"e2e/index.html": page})
    run = await site.begin("page", commit)
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=/tmp/chromium")
    step = BuildStep(
        name="e2e page",
        kind=StepKind.TEST,
        folder="e2e",
        argv=(str(CHROMIUM), *flags, "--dump-dom", "file:///box/src/e2e/index.html"),
        inputs=("e2e",),
        network=True,
        timeout=120.0,
        cacheable=False,
    )
    await site.builder.perform(run, "page", commit, step, Mask())
    lines = site.logs.read(run, "e2e page").lines
    assert any("notes loaded" in line for line in lines)
