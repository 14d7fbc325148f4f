from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_program_that_ends_without_reading_leaves_nothing_to_complain_of(
    size: int,
) -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, told: complaints.append(told))
    try:
        for _ in range(10):
            asked = command.Command(
                argv=("sh", "-c", "exit 3"),
                env=command.base_environment(),
                timeout=10,
                stdin=b"x" * size,
            )
            assert (await command.run(asked, check=False)).status == 3
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert complaints == []
