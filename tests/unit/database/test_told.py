from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.database.backups import folded, told
from shipway.database.backups.wal import Segment
from shipway.kit import errors

FULL: dict[str, Any] = {
    "archive": {"start": "000000010000000000000002", "stop": "000000010000000000000003"},
    "backrest": {"format": 5, "version": "2.45"},
    "database": {"id": 1, "repo-key": 1},
    "error": False,
    "info": {"delta": 23213830, "repository": {"delta": 3009376, "size": 3009376}, "size": 23213830},
    "label": "20261123-081332F",
    "prior": None,
    "timestamp": {"start": 1795421612, "stop": 1795421614},
    "type": "full",
}  # fmt: skip


def info(*backups: dict[str, Any], code: int = 0, message: str = "ok") -> str:
    repositories = [{"key": 1, "status": {"code": code, "message": message}}]
    return json.dumps([{"name": "main", "repo": repositories, "backup": backups}])


def test_a_backup_is_understood() -> None:
    (found,) = told.backups(info(FULL), 1)
    assert (found.label, found.kind, found.first, found.last) == (
        "20261123-081332F", "full", "000000010000000000000002", "000000010000000000000003",
    )  # fmt: skip
    assert found.ended - found.began == datetime.timedelta(seconds=2)
    assert (found.size, found.stored, found.broken) == (23213830, 3009376, False)


def test_only_the_backups_of_one_repository_count() -> None:
    other = FULL | {"database": {"id": 1, "repo-key": 2}}
    assert told.backups(info(other), 1) == ()


def test_a_backup_of_damaged_pages_is_broken() -> None:
    assert told.backups(info(FULL | {"error": True}), 1)[0].broken


def test_a_repository_that_is_not_made_yet_holds_nothing() -> None:
    assert told.backups(info(code=1, message="missing stanza path"), 1) == ()


def test_a_wrong_key_is_told_without_what_came_out_of_it() -> None:
    garbage = "[FormatError] unable to load info file '/r/backup.info': key/value at \x07\ufffd=Q"
    with pytest.raises(errors.Failed) as caught:
        told.backups(info(code=99, message=garbage), 1)
    assert str(caught.value) == (
        "Repository 1 cannot be opened with its key: it is another one's, or damaged."
    )


def test_what_is_no_json_is_told() -> None:
    with pytest.raises(errors.Failed, match="cannot be read"):
        told.backups("ERROR: [055]", 1)


def test_segments_and_histories_are_found_in_a_listing() -> None:
    name = "000000010000000000000001"
    hashed = f"{'ab' * 20}"
    listing = {
        ".": {"type": "path"},
        f"15-1/0000000100000000/{name}-{hashed}.zst": {"type": "file", "size": 9, "time": 60},
        f"15-1/0000000100000000/{name}.00000028.backup": {"type": "file", "size": 1, "time": 60},
        f"15-1/0000000100000000/{name}.partial-{hashed}.zst": {
            "type": "file",
            "size": 1,
            "time": 0,
        },
        "15-1/00000002.history": {"type": "file", "size": 50, "time": 61},
        "archive.info": {"type": "file", "size": 368, "time": 61},
    }
    segments, histories = told.archive(json.dumps(listing))
    assert [one.segment for one in segments] == [Segment(1, 1)]
    assert segments[0].at == datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)
    assert histories == ("15-1/00000002.history",)


WELL = """\
stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 7, total valid WAL: 7
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261123-081332F, status: valid, total files checked: 964, total valid files: 964
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
""".splitlines()


def test_a_verification_without_complaints_is_silent() -> None:
    assert told.complaints(WELL) == ()


def test_a_verification_that_complains_is_heard_although_it_succeeds() -> None:
    lines = [
        line.replace("status: ok", "status: error").replace("status: valid", "status: invalid")
        for line in WELL[:-1]
    ]
    found = told.complaints(
        [*lines, "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0"]
    )
    assert "status: error" in found
    assert any("20261123-081332F, status: invalid" in line for line in found)
    assert any("checksum invalid: 1" in line for line in found)


def test_a_verification_without_a_result_is_a_failure() -> None:
    with pytest.raises(errors.Failed, match="without a result"):
        told.complaints(["ERROR: [103]: unable to find a valid repository"])


def test_an_error_is_told_without_its_number_of_process() -> None:
    said = "2026-11-23 08:13:34.577 P00  ERROR: [056]: unable to find primary cluster"
    assert told.failure(["P00   INFO: begin", said], 2) == (
        "Repository 2: [056]: unable to find primary cluster"
    )


@given(text=st.text(alphabet=st.characters(exclude_characters="\r\n"), max_size=300))
def test_what_was_folded_is_whole_again(text: str) -> None:
    lines = [f"{folded.MARK}{text[at : at + 7]}" for at in range(0, len(text), 7)]
    assert folded.unfold([*lines, "a warning"]) == (text, ("a warning",))
