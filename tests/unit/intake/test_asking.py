"""What requests for updates say, and what of it is nonsense."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.intake import asking, sightings
from shipway.intake.asking import Expected, Malformed

HEADERS = {"expo-platform": "ios", "expo-runtime-version": "1"}
UPDATE = "3ba5a7a7-5b5e-4d0e-9d3b-0a0c3e1f2a4b"
ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("header", "protocol", "first"),
    [
        ("", 1, "multipart/mixed"),
        ("", 0, "application/expo+json"),
        ("*/*", 1, "multipart/mixed"),
        ("application/*", 1, "application/expo+json"),
        ("application/json, application/expo+json;q=0.5", 1, "application/json"),
        ("multipart/mixed;q=0, */*", 1, "application/expo+json"),
        ("multipart/mixed;q=0.1,application/json;q=0.9", 1, "application/json"),
        ("text/html", 1, None),
        ("multipart/mixed;q=nonsense", 1, None),
    ],
)
def test_the_form_is_the_clients_favourite(header: str, protocol: int, first: str | None) -> None:
    found = asking.forms(header, protocol)
    assert (found[0] if found else None) == first


@pytest.mark.parametrize(
    ("header", "there", "chosen"),
    [
        ("", ALL, ""),
        ("zstd, br, gzip", ALL, "zstd"),
        ("br, gzip", ALL, "br"),
        ("gzip;q=1, br;q=0.5", ALL, "gzip"),
        ("br;q=0, gzip", ALL, "gzip"),
        ("*", ALL, "zstd"),
        ("identity", ALL, ""),
        ("identity;q=1, br;q=0.5", ALL, ""),
        ("identity;q=0", (), None),
        ("*;q=0", ALL, None),
        ("*;q=0, gzip", ALL, "gzip"),
        ("brotli", ALL, ""),
    ],
)
def test_an_encoding_is_one_that_is_accepted(
    header: str, there: tuple[str, ...], chosen: str | None
) -> None:
    assert asking.encoding(header, there) == chosen


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        (f'"{UPDATE}"', (UPDATE,)),
        (f'"{UPDATE.upper()}", "{UPDATE}"', (UPDATE,)),
        (f'"{UPDATE}", "../../x", 7, (1 2)', (UPDATE,)),
        (f'"{UPDATE}", ', ()),
        ("((", ()),
        ("é", ()),
    ],
)
def test_failed_updates_are_a_structured_list(header: str, ids: tuple[str, ...]) -> None:
    assert asking.failed_ids(header) == ids


def test_an_expected_signature_names_its_key() -> None:
    assert asking.expected("") is None
    assert asking.expected('sig, keyid="root", alg="rsa-v1_5-sha256"') == Expected("root")
    assert asking.expected("sig") == Expected()
    for nonsense in ("((", 'sig, alg="ed25519"', "sig, keyid=7"):
        with pytest.raises(Malformed):
            asking.expected(nonsense)


@given(st.dictionaries(st.sampled_from(sorted(
    {"expo-platform", "expo-runtime-version", "expo-protocol-version", "eas-client-id",
     "expo-current-update-id", "expo-recent-failed-update-ids", "expo-fatal-error"})),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=300)))  # fmt: skip
def test_no_header_does_worse_than_being_refused(headers: dict[str, str]) -> None:
    with contextlib.suppress(Malformed):
        found = asking.asked({**HEADERS, **headers})
        assert len(found.error) <= asking.LONGEST_ERROR


def test_an_error_is_told_without_what_is_personal() -> None:
    said = sightings.scrubbed(
        "Failed for ada@example.org at https://x.org/a?token=1 in /data/user/0/x 12345678\x00"
    )
    assert said == "Failed for <email> at https://x.org/a?<query> in <path> <number> "
    assert len(sightings.scrubbed("x" * 10_000)) == sightings.LONGEST_TEXT
