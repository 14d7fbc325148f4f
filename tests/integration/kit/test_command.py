from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable
from typing import Any

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio


def until_ended(pid: int) -> None:
    """Hold everything up until a process has ended; its status stays for who waits for it."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("size", [10, 100_000, 1_000_000])
@pytest.mark.parametrize("on_start", [None, until_ended], ids=["at any time", "before it is fed"])
async def test_a_program_that_ends_without_reading_leaves_nothing_to_complain_of(
    size: int, on_start: Callable[[int], None] | None
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
            outcome = await command.run(asked, check=False, on_start=on_start)
            assert outcome.status == 3
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
