from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies
from tests.fakes.expo_client import dates

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z

ANDROID = {
    "2026-11-23T12:00:00.123Z": NOON + 123,
    "2026-11-23T12:00:00.123456Z": NOON + 123_456,  # the microseconds of Python's isoformat
    "2026-11-23T12:00:00.1Z": NOON + 1,
    "2026-11-23T12:00:61.000Z": NOON + 61_000,
    "2026-11-23T36:00:00.000Z": NOON + 86_400_000,
    "2026-13-23T12:00:00.000Z": 1_800_705_600_000,
    "2026-11-23T12:00:00.123Z and more": NOON + 123,
}

REFUSED = [
    "2026-11-23T12:00:00Z",
    "2026-11-23T12:00:00.123+00:00",
    "2026-11-23T12:00:00.123",
    "2026-11-23 12:00:00.123Z",
    "2026-11-23T12:00:00.123z",
    "23.11.2026",
    "",
]


@pytest.mark.parametrize("text", ANDROID)
def test_android_reads_what_java_reads(text: str) -> None:
    assert dates.android(text) == ANDROID[text]


@pytest.mark.parametrize("text", REFUSED)
def test_neither_reads_another_form(text: str) -> None:
    for read in (dates.android, dates.ios):
        with pytest.raises(ValueError, match=r"refuses|not the form"):
            read(text)


@pytest.mark.parametrize("text", list(ANDROID)[1:])
def test_ios_is_held_to_three_digits(text: str) -> None:
    with pytest.raises(ValueError, match="not the form"):
        dates.ios(text)


@hypothesis.given(strategies.integers(0, 4_102_444_800_000))
def test_both_read_the_one_safe_form(milliseconds: int) -> None:
    text = dates.write(milliseconds)
    assert dates.android(text) == dates.ios(text) == milliseconds
