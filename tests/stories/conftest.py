"""A whole Shipway with a tiny app in production: real processes, real people, real pushes."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator

import pytest
from demo.stage import Stage

TINY = pathlib.Path(__file__).parent.parent / "apps" / "tiny"


@pytest.fixture(scope="session")
async def tiny(anyio_backend: str) -> AsyncIterator[Stage]:
    """The app `tiny`, live in staging and production. Stories leave its sources as they were."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-story-", dir="/var/tmp"))
    stage = Stage.fresh(home, TINY, quiet=True)
    try:
        await stage.set_up()
        await stage.create_app()
        await stage.deliver()
        await stage.invite_approver()
        await stage.promote()
        yield stage
    except BaseException:
        stage.show_logs()
        raise
    finally:
        await stage.end()
        shutil.rmtree(home, ignore_errors=True)
