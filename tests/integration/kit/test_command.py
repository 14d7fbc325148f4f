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


async def test_of_a_very_long_line_the_beginning_is_told_and_no_piece_of_the_rest() -> None:
    lines: list[str] = []
    argv = ("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after")
    asked = command.Command(argv=argv, env=command.base_environment(), timeout=30)

    await command.run(asked, on_line=lines.append)

    assert lines == ["x" * command.LONGEST_LINE, "after"]
