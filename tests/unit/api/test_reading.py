from __future__ import annotations

import asyncio
import contextlib
import typing
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.api import following, paging
from shipway.kit import db, errors
from shipway.kit.notices import Notices


@given(
    st.dictionaries(st.text(), st.integers(1, 2**32), max_size=5),
    st.dictionaries(st.text(), st.integers(0, 2**40), max_size=5),
)
def test_a_cursor_comes_back_as_it_was(steps: dict[str, int], offsets: dict[str, int]) -> None:
    seen = following.Seen(7, steps, offsets)
    assert following.Seen.from_cursor(seen.cursor) == seen


@given(st.text(min_size=1))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    # Chance may find a cursor; anything else is an error of ours, and nothing but that.
    with contextlib.suppress(errors.Invalid):
        following.Seen.from_cursor(text)


def test_pages() -> None:
    assert paging.page(["a", "b"], 2, ["1", "2"]).next == ""
    first = paging.page(["a", "b", "c"], 2, ["1", "2", "3"])
    assert (first.items, first.next) == (("a", "b"), "2")


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²", "9" * 19])
def test_no_number(text: str) -> None:
    with pytest.raises(errors.Invalid):
        paging.number(text)


class Listened:
    """A database whose notices a test sends."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def listen(self, *channels: str) -> AsyncIterator[tuple[str, str]]:
        while True:
            yield await self.queue.get()


@pytest.mark.anyio
async def test_a_notice_wakes_who_waits_for_it() -> None:
    listened = Listened()
    notices = Notices(typing.cast("db.Database", listened), "c")
    async with notices.listening():
        with notices.of("c", "one") as one, notices.of("c", "two") as two:
            listened.queue.put_nowait(("c", "one"))
            async with asyncio.timeout(5):
                await one.wait(60)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await two.wait(60)


@pytest.mark.anyio
async def test_a_new_connection_wakes_everybody() -> None:
    listened = Listened()
    notices = Notices(typing.cast("db.Database", listened), "c")
    async with notices.listening():
        with notices.of("c", "one") as one:
            listened.queue.put_nowait(("", ""))
            async with asyncio.timeout(5):
                await one.wait(60)


@pytest.mark.anyio
async def test_a_notice_between_two_waits_is_not_missed() -> None:
    listened = Listened()
    notices = Notices(typing.cast("db.Database", listened), "c")
    async with notices.listening():
        with notices.of("c", "one") as one:
            listened.queue.put_nowait(("c", "one"))
            await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                await one.wait(60)
