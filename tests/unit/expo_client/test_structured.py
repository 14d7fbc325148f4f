from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies
from tests.fakes.expo_client import structured

LISTS = {
    "": [],
    '"a"': ["a"],
    '"a", "b"': ["a", "b"],
    '"a",\t"b"': ["a", "b"],
    '  "a"  ': ["a"],
    '"a;b,c"': ["a;b,c"],
    r'"say \"no\"", "a\\b"': ['say "no"', "a\\b"],
    "1, -2, 2.5": [1, -2, 2.5],
    "?1, ?0": [True, False],
    ":aGk=:": [b"hi"],
    "sig, *a/b": ["sig", "*a/b"],
    '("a" "b";x=1);q=2, ()': [("a", "b"), ()],
    '"a";q=0.5;x': ["a"],
}


MALFORMED_LISTS = [
    '"a', '"a" "b"', '"a",', ',"a"', '"ü"', '"a\tb"', r'"\n"', "?2", ":a", ":a:", "1.", "1.2345",
    "-", "1234567890123456", "(1", '("a""b")', "@", '"a";', '"a";A',
]  # fmt: skip

DICTIONARIES = {
    "": {},
    'a="1", b=2, c': {"a": "1", "b": 2, "c": True},
    "a=1, a=2": {"a": 2},
    "a;x=1, b=?0": {"a": True, "b": False},
    "*k-_.9=tok": {"*k-_.9": "tok"},
    'sig, keyid="main", alg="rsa-v1_5-sha256"': {
        "sig": True,
        "keyid": "main",
        "alg": "rsa-v1_5-sha256",
    },
}

MALFORMED_DICTIONARIES = ['A="1"', "a=", "=1", "a=1 b=2", "a=1,", '"a"=1', "a==1", "ä=1"]


@pytest.mark.parametrize("text", LISTS)
def test_a_list_is_read(text: str) -> None:
    assert structured.parse_list(text) == LISTS[text]


@pytest.mark.parametrize("text", MALFORMED_LISTS)
def test_a_malformed_list_is_refused(text: str) -> None:
    with pytest.raises(structured.Malformed):
        structured.parse_list(text)


@pytest.mark.parametrize("text", DICTIONARIES)
def test_a_dictionary_is_read(text: str) -> None:
    assert structured.parse_dictionary(text) == DICTIONARIES[text]


@pytest.mark.parametrize("text", MALFORMED_DICTIONARIES)
def test_a_malformed_dictionary_is_refused(text: str) -> None:
    with pytest.raises(structured.Malformed):
        structured.parse_dictionary(text)
    assert structured.simple_dictionary(text) is None


def test_a_client_keeps_only_strings_numbers_and_booleans_of_a_dictionary() -> None:
    text = 'a="x", b=1, c=2.5, d=?0, e=token, f=:aGk=:, g=(1 2)'
    assert structured.simple_dictionary(text) == {"a": "x", "b": 1, "c": 2.5, "d": False}


@hypothesis.given(strategies.lists(strategies.text(strategies.characters(max_codepoint=0x2FF))))
def test_what_is_written_is_read_back_or_refused(texts: list[str]) -> None:
    try:
        written = structured.string_list(texts)
    except structured.Malformed:
        assert not all(" " <= character <= "~" for text in texts for character in text)
        return
    assert structured.parse_list(written) == texts


@hypothesis.given(strategies.text())
def test_no_text_does_more_harm_than_being_malformed(text: str) -> None:
    for parse in (structured.parse_list, structured.parse_dictionary):
        try:
            parse(text)
        except structured.Malformed:
            continue


def test_a_dictionary_refuses_an_unsound_key() -> None:
    assert structured.string_dictionary({"a": "1", "b-c": '"'}) == r'a="1", b-c="\""'
    with pytest.raises(structured.Malformed):
        structured.string_dictionary({"Name": "1"})
