"""The demo is a story too: AIOS from git push to production and back, every claim checked."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from demo import run
from demo.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("aios")]


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-aios-", dir="/var/tmp"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


async def test_aios_goes_to_production_and_is_taken_back_under_load(folder: pathlib.Path) -> None:
    figures = await run.story(Stage.fresh(folder, run.AIOS, quiet=True))

    if "error" in figures:
        pytest.fail(figures["error"], pytrace=False)  # its words, and not this test's, tell why
    assert figures["failures"] == []
    # How much a busy machine asks in a second is no claim of a test.
    assert set(figures["broken_claims"]) <= {run.LOADED}, figures
