"""What `shipway dev` and `shipway doctor` print."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from tests.unit.cli.conftest import Terminal

from shipway.cli import dev, output
from shipway.doctor import examining, findings, mending
from shipway.doctor.findings import Finding, Report
from shipway.kit.settings import Settings

ILL = (
    findings.fine("disk", "There is room."),
    findings.doubtful("leftovers", "/x: a draft.", "rm -r /x", findings.Remedy(kind="folder", target="/x")),
    findings.wrong("services", "api is down.", "Run `shipway up`."),
)  # fmt: skip


def lines(*, coloured: bool) -> tuple[dev.Lines, io.StringIO]:
    seen = io.StringIO()
    out = output.Output()
    out.out = Console(
        file=seen, force_terminal=coloured, color_system="standard" if coloured else None, width=200
    )
    return dev.Lines(out), seen


def test_each_line_says_whose_it_is() -> None:
    told, seen = lines(coloured=False)
    told("server", "up")
    told("a longer name", "x")
    assert seen.getvalue() == "server     | up\na longer name | x\n"


def test_names_have_colours_and_lines_keep_their_own() -> None:
    told, seen = lines(coloured=True)
    told("server", "plain \x1b[31mred\x1b[0m \x1b]0;title\x07")
    told("client", "up")
    first, second = seen.getvalue().splitlines()
    assert first.startswith("\x1b[36mserver     | \x1b[0mplain \x1b[31mred\x1b[0m")
    assert "\x1b]" not in first
    assert "\x07" not in first
    assert second.startswith("\x1b[35mclient     | \x1b[0mup")


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What ails the Shipway of this machine; mending takes away what has a remedy."""
    found = list(ILL)

    async def examine(_: Settings) -> Report:
        return Report(findings=tuple(found))

    async def mend(_: Settings, told: tuple[Finding, ...]) -> tuple[str, ...]:
        found[:] = [one for one in told if not one.remedy]
        return ("/x is removed.",)

    monkeypatch.setattr(examining, "examine", examine)
    monkeypatch.setattr(mending, "mend", mend)
    return found


def test_the_doctor_says_what_mends_each(terminal: Terminal, ill: list[Finding]) -> None:
    told = terminal.type("doctor")
    assert told.exit_code == 7
    assert told.err == "1 thing is wrong."
    assert told.out.splitlines() == [
        "✓ disk          There is room.",
        "! leftovers     /x: a draft.",
        "                rm -r /x (--fix does it)",
        "✗ services      api is down.",
        "                Run `shipway up`.",
    ]


def test_the_doctor_mends_and_looks_again(terminal: Terminal, ill: list[Finding]) -> None:
    told = terminal.type("doctor", "--fix", "--json")
    report = json.loads(told.out)
    assert report["mended"] == ["/x is removed."]
    assert [one["part"] for one in report["findings"]] == ["disk", "services"]


def test_nothing_wrong_is_exit_code_0(terminal: Terminal, ill: list[Finding]) -> None:
    del ill[2]
    told = terminal.type("doctor")
    assert (told.exit_code, told.out.splitlines()[-1]) == (0, "Nothing is wrong.")
