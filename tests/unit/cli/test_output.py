from __future__ import annotations

import datetime

import pytest

from shipway.cli import output
from shipway.kit import clock, errors


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (3.21, "3.2 s"),
        (12, "12 s"),
        (252, "4 min 12 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert output.span(datetime.timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "now"), (5.5, "5 s ago"), (200, "3 min ago"), (90000, "1 d ago")]
)
def test_ago_has_one_unit(seconds: float, text: str) -> None:
    assert output.ago(clock.now() - datetime.timedelta(seconds=seconds)) == text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert output.aligned([["A", "LONG"], ["wide", "x"]]) == ["A     LONG", "wide  x"]


def test_a_pipe_gets_plain_lines_without_cutting(capsys: pytest.CaptureFixture[str]) -> None:
    output.Output().table(("name", "text"), [("a", "word " * 60)])
    assert capsys.readouterr().out == f"NAME  TEXT\na     {'word ' * 60}".rstrip() + "\n"


def test_an_empty_table_says_so_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.Output().table(("name",), [], empty="Nothing yet.")
    assert capsys.readouterr() == ("", "Nothing yet.\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.NotFound("No such app.", fix="List them."), "No such app.\nList them.\n"),
        (
            errors.Invalid("The file is wrong.", problems=("a", "b")),
            "The file is wrong.\n  - a\n  - b\n",
        ),
        (errors.Refused("one reason"), "one reason\n"),
        (errors.Refused("one", "two", fix="Wait."), "Refused:\n  - one\n  - two\nWait.\n"),
    ],
)
def test_an_error_is_what_happened_and_what_to_do(
    error: errors.ShipwayError, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output.Output().error(error)
    assert capsys.readouterr() == ("", text)


def test_markup_in_words_of_others_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.Output().say("[red]:boom:[/red]")
    assert capsys.readouterr().out == "[red]:boom:[/red]\n"


HOSTILE = "\x1b]0;title\x07ok\x1b[2J\x1b[31m!\x1b[0m\x1b[6n\x08"


def test_words_of_others_do_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    printed = output.Output()
    printed.say(HOSTILE)
    printed.table(("text",), [(HOSTILE,)])
    printed.error(errors.Failed(HOSTILE, fix=HOSTILE))
    seen = "".join(capsys.readouterr())
    assert seen.count("ok!") == 4
    assert not {"\x1b", "\x07", "\x08"} & set(seen)
