from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.intake import model
from shipway.intake.model import File, Found

PAGE = File(10, "a" * 64)
EXPORT = {
    "index.html": PAGE,
    "about.html": File(11, "b" * 64),
    "docs/index.html": File(12, "c" * 64),
    "_expo/static/js/web/index-0123456789abcdef.js": File(13, "d" * 64),
    "_expo/static/js/web/index-0123456789abcdef.js.gz": File(5, "e" * 64),
    "favicon.ico": File(14, "f" * 64),
}
SCRIPT = "_expo/static/js/web/index-0123456789abcdef.js"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", "index.html"),
        ("index.html", "index.html"),
        ("about", "about.html"),
        ("docs", "docs/index.html"),
        ("docs/", "docs/index.html"),
        ("favicon.ico", "favicon.ico"),
    ],
)
def test_a_path_finds_its_file(path: str, found: str) -> None:
    answer = model.find(EXPORT, path)
    assert answer
    assert answer.path == found


@given(st.text())
def test_nothing_is_found_that_is_not_in_the_export(path: str) -> None:
    found = model.find(EXPORT, path)
    assert found is None or found.path in EXPORT


def test_a_compressed_copy_goes_to_who_takes_it() -> None:
    found = model.find(EXPORT, SCRIPT, model.accepted_encodings("br, gzip;q=0.5"))
    assert found == Found(f"{SCRIPT}.gz", File(5, "e" * 64), "gzip")
    assert found.content_type == "text/javascript; charset=utf-8"
    assert found.cache_control == model.FOR_EVER
    refused = model.find(EXPORT, SCRIPT, model.accepted_encodings("gzip;q=0, br"))
    assert refused == Found(SCRIPT, File(13, "d" * 64))


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("index.html", model.ASK_FIRST),
        ("favicon.ico", model.ASK_FIRST),
        ("manifest.json", model.ASK_FIRST),
        ("assets/icon-large.png", model.ASK_FIRST),
        ("assets/icon.4e3f888f.png", model.FOR_EVER),
        ("assets/4e3f888fc8475f69fd5fa32f1ad5216a.png", model.FOR_EVER),
        ("_expo/static/css/web-0123456789abcdef0123456789abcdef.css", model.FOR_EVER),
    ],
)
def test_only_names_that_change_with_the_content_are_kept_for_ever(path: str, kept: str) -> None:
    assert Found(path, PAGE).cache_control == kept


def test_digests_are_read_newest_first_and_nothing_else_is() -> None:
    one, two = "1" * 64, "2" * 64
    assert model.digests(f"{one}, {two}") == (one, two)
    assert model.digests(f"{one},../../etc/passwd,{two[:-1]}") == (one,)
    assert model.digests("") == ()
    assert len(model.digests(",".join([one] * 50))) == model.MOST_EXPORTS


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=5-", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=8-100", (8, 10)),
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("lines=1-2", None),
        ("", None),
    ],
)
def test_ranges(header: str, part: tuple[int, int] | None) -> None:
    assert model.part(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_range_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        model.part(header, 10)


@given(st.text(alphabet="bytes=-0123456789, "), st.integers(0, 1000))
def test_a_part_lies_within_the_file(header: str, size: int) -> None:
    try:
        part = model.part(header, size)
    except ValueError:
        return
    assert part is None or 0 <= part[0] < part[1] <= size


def test_a_known_content_is_not_sent_again() -> None:
    assert model.matches('W/"x", "y"', '"y"')
    assert model.matches('W/"y"', '"y"')
    assert model.matches("*", '"y"')
    assert not model.matches('"x"', '"y"')
    assert not model.matches("", '"y"')
