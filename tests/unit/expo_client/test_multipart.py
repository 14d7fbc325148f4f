from __future__ import annotations

import pytest
from tests.fakes.expo_client import multipart

SOUND = (
    b"--b\r\n"
    b'content-disposition: inline; name="manifest"\r\n'
    b"content-type: application/json\r\n"
    b"expo-signature: sig=abc\r\n\r\n"
    b'{"a":1}\r\n'
    b"--b\r\n"
    b"content-disposition: form-data; name=extensions\r\n\r\n"
    b"{}\r\n"
    b"--b--\r\n"
)
ONE = b"--b\r\nx: y\r\n\r\nbody"

READERS = {"android": multipart.read_android, "ios": multipart.read_ios}


@pytest.mark.parametrize("platform", READERS)
@pytest.mark.parametrize("preamble", [b"", b"a preamble\r\n"])
def test_both_read_a_sound_answer(platform: str, preamble: bytes) -> None:
    parts = READERS[platform](preamble + SOUND, b"b")
    assert [(part.name, part.body) for part in parts] == [
        ("manifest", b'{"a":1}'),
        ("extensions", b"{}"),
    ]
    assert parts[0].header("expo-signature") == "sig=abc"


# How many parts each platform finds; None: it throws the answer away.
VERDICTS: dict[str, tuple[bytes, int | None, int | None]] = {
    "the last CRLF is missing": (ONE + b"\r\n--b--", 1, None),
    "something follows the end": (ONE + b"\r\n--b--\r\nepilogue", 1, 1),
    "lines end in LF only": (ONE.replace(b"\r", b"") + b"\n--b--\n", None, None),
    "there is no part": (b"--b--\r\n", None, None),
    "the end is missing": (ONE + b"\r\n", None, None),
    "the boundary is another": (ONE.replace(b"--b", b"--c") + b"\r\n--c--\r\n", None, None),
    "spaces follow the boundary": (b"--b \t\r\nx: y\r\n\r\nbody\r\n--b--\r\n", 1, 0),
    "letters follow the boundary": (b"--bc\r\nx: y\r\n\r\nbody\r\n--b--\r\n", None, 0),
    "a header lacks its colon": (b"--b\r\nxy\r\n\r\nbody\r\n--b--\r\n", 1, 1),
    "the body is empty": (b"--b\r\nx: y\r\n\r\n\r\n--b--\r\n", 1, 1),
}


@pytest.mark.parametrize("case", VERDICTS)
@pytest.mark.parametrize("platform", READERS)
def test_each_platform_is_strict_in_its_own_way(platform: str, case: str) -> None:
    body, android, ios = VERDICTS[case]
    found = android if platform == "android" else ios
    if found is None:
        with pytest.raises(multipart.Unreadable):
            READERS[platform](body, b"b")
    else:
        assert len(READERS[platform](body, b"b")) == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("multipart/mixed; boundary=b", b"b"),
        ('multipart/mixed; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/mixed;BOUNDARY=b", b"b"),
    ],
)
def test_the_boundary_may_be_quoted(header: str, found: bytes) -> None:
    assert multipart.boundary(header) == found


@pytest.mark.parametrize("header", ["multipart/mixed", "", "multipart/mixed; boundary="])
def test_an_answer_without_a_boundary_is_unreadable(header: str) -> None:
    with pytest.raises(multipart.Unreadable):
        multipart.boundary(header)


def test_a_part_without_a_name_is_skipped() -> None:
    part = multipart.Part({"Content-Disposition": "inline"}, b"")
    assert part.name is None
