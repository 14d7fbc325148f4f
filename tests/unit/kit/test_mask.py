"""No secret comes through, however a program writes it and wherever its words are cut."""

from __future__ import annotations

import io
import itertools
import json
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.kit import log, mask, spelling
from shipway.kit.mask import Flow, Mask

SECRET = "correct-horse/battery"
KEY = "-----BEGIN KEY-----\nQUJDREVGRw==QUJD\nSElKS0xNTg==SElK\n-----END KEY-----"
PROGRAM = pathlib.Path(mask.__file__)


def flowed(of: Mask, text: str, cuts: list[int]) -> str:
    flow, edges = Flow(of), sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    return "".join([*map(flow.feed, pieces), flow.end()])


@given(st.text(st.sampled_from("ab\n"), max_size=40), st.lists(st.integers(0, 200)))
def test_a_secret_is_hidden_wherever_the_text_is_cut(around: str, cuts: list[int]) -> None:
    text = f"{around}{SECRET}{around}\n{SECRET}"

    told = flowed(Mask([SECRET]), text, cuts)

    assert told == text.replace(SECRET, "***")


@pytest.mark.parametrize("before", [65_515, 65_520, 65_531, 65_536, 65_537])
def test_a_secret_is_hidden_in_a_line_too_long_to_be_held_back(before: int) -> None:
    text = "x" * before + SECRET + "y" * 70_000

    told = flowed(Mask([SECRET]), text, [65_537, before + 5])

    assert told == text.replace(SECRET, "***")


def test_of_a_secret_in_another_the_longer_is_hidden_whole() -> None:
    assert Mask([SECRET, f"{SECRET}-staple"])(f"{SECRET}-staple {SECRET}") == "*** ***"
    assert flowed(Mask(["abcdefgh", "abcdefghijkl"]), "x" * 70_000 + "abcdefghijkl", []) == (
        "x" * 70_000 + "***"
    )


def test_each_line_of_a_secret_is_hidden_by_itself() -> None:
    hide = Mask([KEY])

    assert hide(KEY) == "***"
    assert [hide(f"> {line}") for line in KEY.splitlines()] == ["> ***"] * 4


def test_short_values_are_not_hidden() -> None:
    assert Mask(["seven77"])("seven77 is a number") == "seven77 is a number"


def test_a_mask_that_is_told_ever_more_knows_the_last() -> None:
    hide = Mask()
    hide.add(f"secret-{number:09}" for number in range(6000))

    assert hide("secret-000000000 secret-000005999") == "secret-000000000 ***"


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://us:p%40ss-word@db.example/shop",
        "p%40ss-word",
        "p@ss-word",
        "postgresql%3A%2F%2Fus%3Ap%2540ss-word%40db.example%2Fshop",
    ],
)
def test_an_address_is_hidden_with_its_password(written: str) -> None:
    hide = spelling.mask(["postgresql://us:p%40ss-word@db.example/shop"])

    assert hide(f"could not connect: {written}.") == "could not connect: ***."


@pytest.mark.parametrize("secret", ['quo"ted \\ secret', "schlüssel-öffnen", KEY])
def test_a_secret_is_hidden_in_json_and_in_python(secret: str) -> None:
    hide = spelling.mask([secret])

    for text in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)):
        left = hide(text)
        assert not any(line in left for line in secret.splitlines())
        assert set(left) <= set("*\"'\\n")


def test_a_log_hides_what_libraries_print_in_pieces() -> None:
    written = io.StringIO()
    stream = log.Masked(written, Mask([SECRET]))

    for piece in ("Traceback: ", SECRET[:7], SECRET[7:], "\n", "and ", SECRET):
        print(piece, end="", file=stream, flush=True)
    assert written.getvalue() == "Traceback: ***\n"
    stream.close()

    assert written.getvalue() == "Traceback: ***\nand ***"


def test_a_process_hides_its_secrets_in_a_traceback_that_nobody_caught() -> None:
    code = (
        "from shipway.kit import log; import logging\n"
        "log.configure(); log.hide(['correct-horse/battery'])\n"
        "log.get('part').warning('it', value='correct-horse/battery', more=['correct-horse/battery'])\n"
        "logging.getLogger('library').error('said %s', 'correct-horse/battery')\n"
        "raise ValueError('bad: correct-horse/battery')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )

    assert "ValueError: bad: ***" in done.stderr
    assert "said ***" in done.stderr
    assert done.stderr.count("***") == 4
    assert SECRET not in done.stderr + done.stdout


def run_program(
    folder: pathlib.Path, command: list[str], said: bytes
) -> subprocess.CompletedProcess[bytes]:
    (folder / "secrets").write_text(f"{SECRET}\nschlüssel-öffnen")
    words = ["/usr/bin/python3", "-IS", str(PROGRAM), str(folder / "secrets"), *command]
    return subprocess.run(words, input=said, capture_output=True, timeout=30, check=False)


def test_the_program_hides_in_front_of_another(tmp_path: pathlib.Path) -> None:
    said = b"\xff\xfe \0 " + SECRET.encode() + "\nschlüssel-öffnen".encode()

    done = run_program(tmp_path, ["cat"], said)

    assert (done.returncode, done.stdout) == (0, b"\xff\xfe \0 ***\n***")


def test_the_program_ends_with_the_other(tmp_path: pathlib.Path) -> None:
    assert run_program(tmp_path, ["false"], b"x\n" * 100_000).returncode == 1
