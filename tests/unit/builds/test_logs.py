"""Logs of runs."""

from __future__ import annotations

import pathlib
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.builds import logs, model
from shipway.kit import errors
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


async def test_lines_are_read_while_the_log_grows(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "test api", Mask()) as write:
        write("one")
        first = kept.read("run_1", "test api")
        write("two")
        second = kept.read("run_1", "test api", first.offset)
    assert [line.partition(" ")[2] for line in first.lines] == ["one"]
    assert [line.partition(" ")[2] for line in second.lines] == ["two"]
    assert kept.read("run_1", "test api", second.offset).lines == ()


async def test_a_step_that_runs_again_goes_on_in_its_log(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    for text in ("before", "after"):
        async with kept.writing("run_1", "server", Mask()) as write:
            write(text)
    assert [line[25:] for line in kept.read("run_1", "server").lines] == ["before", "after"]


async def test_secrets_are_masked(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "migrate", Mask(["hunter2hunter2"])) as write:
        write("password is hunter2hunter2!")
    assert kept.read("run_1", "migrate").lines[0].endswith("password is ***!")


async def test_a_secret_is_masked_before_its_line_is_cut(tmp_path: pathlib.Path) -> None:
    kept, before = logs.Logs(tmp_path), "x" * (logs.LONGEST_LINE - 5)
    async with kept.writing("run_1", "migrate", Mask(["hunter2hunter2"])) as write:
        assert write(f"{before}\x1b[1mhunter2\x1b[0mhunter2 and more") == f"{before}*** a"
    assert "hunter" not in kept.read("run_1", "migrate").lines[0]


async def test_a_log_has_a_largest_size_and_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 1000)
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "server", Mask()) as write:
        for _ in range(100):
            write("x" * 50)
    lines = kept.read("run_1", "server").lines
    assert lines[-1].endswith(logs.CUT)
    assert len(lines) < 20


async def test_a_long_line_is_shortened(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "server", Mask()) as write:
        write("x" * 100_000)
    assert len(kept.read("run_1", "server").lines[0]) < logs.LONGEST_LINE + 100


async def test_the_group_may_read_and_others_may_not(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "server", Mask()) as write:
        write("x")
    assert stat.S_IMODE((tmp_path / "run_1" / "server.log").stat().st_mode) == 0o640


async def test_readers_are_told_in_the_end_at_the_latest(tmp_path: pathlib.Path) -> None:
    told: list[str] = []

    async def notify(run: str) -> None:
        told.append(run)

    async with logs.Logs(tmp_path, notify).writing("run_1", "server", Mask()) as write:
        for _ in range(100):
            write("x")
    assert told == ["run_1"]


def test_a_step_without_a_log_has_no_lines(tmp_path: pathlib.Path) -> None:
    assert logs.Logs(tmp_path).read("run_1", "server").lines == ()


@pytest.mark.parametrize("run", ["../run_1", "", "a/b", "."])
def test_a_run_is_no_path(tmp_path: pathlib.Path, run: str) -> None:
    with pytest.raises(errors.Invalid):
        logs.Logs(tmp_path).read(run, "server")


@given(st.text())
def test_a_line_cannot_move_the_cursor_of_its_reader(text: str) -> None:
    shown = logs.readable(f"\x1b[31mred\x1b[0m{text}")
    assert shown.startswith("red")
    assert not any(ord(c) < 32 and c != "\t" for c in shown)
    assert "\x7f" not in shown


@given(st.text())
def test_the_name_of_a_step_becomes_a_file_name(name: str) -> None:
    made = model.slug(name)
    assert made
    assert "/" not in made
    assert not made.startswith(".")


async def test_colours_are_kept_for_the_console_alone(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "test", Mask()) as write:
        write("\x1b[31mred\x1b[0m and \x1b[2Jcleared \x1b]0;title\x07")
    assert kept.read("run_1", "test").lines[0][25:] == "red and cleared "
    (shown,) = kept.window("run_1", "test", first=0, count=10).lines
    assert (shown[0], shown[1][25:]) == (1, "\x1b[31mred\x1b[0m and cleared ")


async def test_a_coloured_secret_is_masked_too(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "test", Mask(["hunter2hunter2"])) as write:
        write("it is hunter2\x1b[31mhunter2\x1b[0m")
    assert kept.tail("run_1", "test", 0).lines[0].endswith("it is ***")


async def test_a_part_of_a_log_has_numbered_lines(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "test", Mask()) as write:
        for number in range(1, 101):
            write(f"line {number}")
    window = kept.window("run_1", "test", first=0, count=3)
    assert [number for number, _ in window.lines] == [98, 99, 100]
    assert window.total == 100
    assert kept.read("run_1", "test", window.offset).lines == ()
    assert [n for n, _ in kept.window("run_1", "test", first=10, count=2).lines] == [10, 11]
    assert kept.window("run_1", "test", first=500, count=2).lines == []
    assert kept.window("run_1", "other", first=0, count=2).total == 0


async def test_lines_are_found_in_any_case(tmp_path: pathlib.Path) -> None:
    kept = logs.Logs(tmp_path)
    async with kept.writing("run_1", "test", Mask()) as write:
        for text in ("An Error", "fine", "\x1b[31mER\x1b[0mROR"):
            write(text)
    window, count = kept.find("run_1", "test", "error", most=1)
    assert ([number for number, _ in window.lines], count) == ([1], 2)
