"""The platform that the chaos tests share: what they kill comes back before the next one."""

from __future__ import annotations

import pathlib
import sys
import tempfile
from collections.abc import AsyncIterator

import pytest
from demo.stage import Stage
from tests.chaos.trial import Trial

TINY = pathlib.Path(__file__).parents[1] / "apps" / "tiny"


@pytest.fixture(scope="session")
async def trial(anyio_backend: str) -> AsyncIterator[Trial]:
    """A Shipway with the app `tiny` in staging and production, and its worker in our hands."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-chaos-", dir="/var/tmp"))
    stage = Stage.fresh(home, TINY, quiet=True)
    try:
        await stage.set_up()
        await stage.create_app()
        await stage.deliver()
        await stage.invite_approver()
        await stage.promote()
        made = Trial(stage)
        async with made.holding_the_worker():
            yield made
    except BaseException:
        stage.show_logs()
        raise
    finally:
        worker = home / "worker.log"
        if worker.exists():
            print(worker.read_text(errors="replace")[-6000:], file=sys.stderr)
        await stage.end()
