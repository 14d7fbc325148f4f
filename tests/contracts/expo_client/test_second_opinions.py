"""The simulated client reads as the real ones do, wherever a real part runs here."""

from __future__ import annotations

import base64
import random

import bsdiff4
import pytest
from tests.fakes.expo_client import dates, multipart, patches, structured
from tests.fakes.second_opinion import bspatch, java, npm

DATES = [
    "2026-11-23T12:00:00.123Z",
    "2026-11-23T12:00:00.123456Z",
    "2026-11-23T12:00:00.1Z",
    "2026-11-23T12:00:00.000001Z",
    "2026-11-23T12:00:61.000Z",
    "2026-11-23T36:61:61.1000Z",
    "2026-13-40T12:00:00.000Z",
    "2026-2-3T4:5:6.7Z",
    "2024-02-30T00:00:00.000Z",
    "1969-12-31T23:59:59.999Z",
    "2026-11-23T12:00:00.123Z and more",
    " 2026-11-23T12:00:00.123Z",
    "2026-11-23T12:00:00Z",
    "2026-11-23T12:00:00.Z",
    "2026-11-23T12:00:00.123+00:00",
    "2026-11-23T12:00:00.123",
    "2026-11-23 12:00:00.123Z",
    "2026-11-23T12:00:00.123z",
    "2026/11/23T12:00:00.123Z",
    "Mon, 23 Nov 2026 12:00:00 GMT",
    "",
]


def test_java_reads_dates_as_the_simulated_android_does() -> None:
    drawn = random.Random(1)  # any instant until 2100
    texts = [*DATES, *(dates.write(drawn.randrange(4_102_444_800_000)) for _ in range(200))]
    said = dict(zip(texts, java.dates(texts), strict=True))
    assert {text: _android(text) for text in texts} == said


def _android(text: str) -> int | None:
    try:
        return dates.android(text)
    except ValueError:
        return None


ONE = b'--b\r\ncontent-disposition: inline; name="manifest"\r\n\r\n{"a":1}'
TWO = ONE + b'\r\n--b\r\ncontent-disposition: inline; name="extensions"\r\n\r\n{}'
END = b"\r\n--b--\r\n"

BODIES = {
    "one part": ONE + END,
    "two parts": TWO + END,
    "no last CRLF": TWO + b"\r\n--b--",
    "an epilogue": ONE + END + b"epilogue",
    "a preamble": b"preamble\r\n" + ONE + END,
    "LF only": (TWO + END).replace(b"\r\n", b"\n"),
    "no part": b"--b--\r\n",
    "no end": ONE,
    "cut in the headers": ONE[:20],
    "spaces after the boundary": (ONE + END).replace(b"--b\r\n", b"--b \t\r\n"),
    "letters after the boundary": (ONE + END).replace(b"--b\r\n", b"--bc\r\n"),
    "a header without a colon": b"--b\r\nxy\r\n\r\nbody" + END,
    "no headers": b"--b\r\n\r\nbody" + END,
    "an empty body": b"--b\r\nx: y\r\n\r\n" + END,
    "dashes in the body": b"--b\r\nx: y\r\n\r\n--b inside\r\n-- b" + END,
}


def test_okhttp_reads_parts_as_the_simulated_android_does() -> None:
    said = dict(zip(BODIES, java.parts([("b", body) for body in BODIES.values()]), strict=True))
    assert {case: _parts(body) for case, body in BODIES.items()} == said


def _parts(body: bytes) -> list[bytes] | None:
    try:
        return [part.body for part in multipart.read_android(body, b"b")]
    except multipart.Unreadable:
        return None


@pytest.mark.parametrize("case", ["one part", "two parts", "an empty body"])
def test_expos_command_line_reads_parts_as_both_simulated_platforms_do(
    node: npm.Node, case: str
) -> None:
    body = BODIES[case].replace(b"x: y", b'content-disposition: inline; name="manifest"')
    said = [part["body"].encode() for part in node.parts("multipart/mixed; boundary=b", body)]
    assert said == [part.body for part in multipart.read_ios(body, b"b")]
    assert said == [part.body for part in multipart.read_android(body, b"b")]


LISTS = [
    "", '"a"', '"a", "b"', '"a",\t"b"', r'"say \"no\"", "a\\b"', "1, -2, 2.5", "?1, ?0", ":aGk=:",
    "sig, *a/b", '("a" "b");q=2, ()', '"a', '"a" "b"', '"a",', ',"a"', '"a\tb"', r'"\n"', "?2",
    ":a", "1.", "1.2345", "-", "1234567890123456", "(1", '("a""b")', "@", '"a";', '"a";A',
]  # fmt: skip

DICTIONARIES = [
    "", 'a="1", b=2, c', "a=1, a=2", "a;x=1, b=?0", "*k-_.9=tok", "a=:aGk=:", "a=(1 2)",
    'sig, keyid="main", alg="rsa-v1_5-sha256"', 'A="1"', "a=", "=1", "a=1 b=2", "a=1,", '"a"=1',
    "a==1",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["list", "dictionary"])
def test_structured_headers_of_npm_agree(node: npm.Node, kind: str) -> None:
    texts = LISTS if kind == "list" else DICTIONARIES
    assert {text: _own(kind, text) for text in texts} == {
        text: _said(node, kind, text) for text in texts
    }


def _own(kind: str, text: str) -> object:
    try:
        if kind == "list":
            return [_plain(value) for value in structured.parse_list(text)]
        return {key: _plain(value) for key, value in structured.parse_dictionary(text).items()}
    except structured.Malformed:
        return "refused"


def _said(node: npm.Node, kind: str, text: str) -> object:
    try:
        return node.list(text) if kind == "list" else node.dictionary(text)
    except npm.Refused:
        return "refused"


def _plain(value: structured.Value) -> object:
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case structured.Token():
            return {"token": str(value)}
    return value


def pair(size: int, *, seed: int = 1) -> tuple[bytes, bytes]:
    """Return two files of which one is a small change of the other."""
    base = random.Random(seed).randbytes(size)
    middle = size // 2
    return base, base[:middle] + b"a line" + base[middle + 3 :]


def test_expos_bspatch_applies_what_bsdiff_makes() -> None:
    for base, target in (pair(200_000), pair(10), (b"", b"new"), (b"old", b"")):
        patch = bsdiff4.diff(base, target)
        assert bspatch.apply(base, patch) == patches.apply(base, patch) == target


def test_expos_bspatch_refuses_what_the_simulated_client_refuses() -> None:
    base, target = pair(1000)
    patch = bsdiff4.diff(base, target)
    for bad in (b"", patch[:40], b"BSDIFF43" + patch[8:], patch[:32] + b"x" + patch[33:]):
        with pytest.raises(patches.Corrupt):
            bspatch.apply(base, bad)
        with pytest.raises(patches.Corrupt):
            patches.apply(base, bad)
