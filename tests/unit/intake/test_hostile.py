"""Requests that are meant to fill memory, a disk or a cache."""

from __future__ import annotations

import asyncio
import hashlib
import pathlib
import random
import uuid
from typing import Any

import pytest
from tests.unit.intake.packing import Site

from shipway.intake import answering, asking, assets
from shipway.intake.app import CHUNK
from shipway.intake.asking import Expected, Malformed
from shipway.intake.sightings import Sightings
from shipway.updates.board import Board
from shipway.updates.files import Files
from shipway.updates.model import MOST_FAILED, NOTHING, Asked, Signed

pytestmark = pytest.mark.anyio

CLIENT = "5f0a1c3e-9a3c-4a53-8a9b-0d6f7b1f2a31"


def new() -> str:
    return str(uuid.uuid4())


def failing(*failed: str) -> Asked:
    return Asked(platform="ios", runtime="1", client=CLIENT, failed=failed)


def text_of(folder: pathlib.Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.rglob("*.ndjson")))


async def told(folder: pathlib.Path, *all_failed: tuple[str, ...]) -> Sightings:
    found = Sightings(folder / "sightings")
    await found.open()
    for failed in all_failed:
        found.asked("tiny", "production", failing(*failed), "")
    await found.flush()
    return found


async def test_a_failure_is_remembered_over_a_restart_and_not_by_the_devices_name(
    tmp_path: pathlib.Path,
) -> None:
    bad = new()
    await told(tmp_path, (bad,))
    assert CLIENT not in text_of(tmp_path)
    again = await told(tmp_path)
    assert again.failed(CLIENT) == (bad,)
    assert again.failed(new()) == frozenset()


async def test_a_device_that_repeats_itself_is_written_down_once(tmp_path: pathlib.Path) -> None:
    bad = new()
    found = await told(tmp_path, *[(bad,)] * 50)
    record = tmp_path / "failed.ndjson"
    assert record.read_text().count("\n") == 1
    found.asked("tiny", "production", failing(bad, new()), "")
    await found.flush()
    assert record.read_text().count("\n") == 2
    await told(tmp_path)
    assert record.read_text().count("\n") == 1, "only its last line is kept"


async def test_a_device_that_names_ever_new_failures_is_remembered_for_the_last_ones(
    tmp_path: pathlib.Path,
) -> None:
    failed = [new() for _ in range(100)]
    found = await told(tmp_path, *((one,) for one in failed))
    assert found.failed(CLIENT) == tuple(failed[-MOST_FAILED:])


async def test_the_record_of_failures_does_not_grow_for_ever(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipway.intake.sightings.MOST_FAILURES", 10)
    found = await told(tmp_path)
    for _ in range(100):
        asked = Asked(platform="ios", runtime="1", client=new(), failed=(new(),))
        found.asked("tiny", "production", asked, "")
        await found.flush()
    assert (tmp_path / "failed.ndjson").read_text().count("\n") <= 20


async def test_a_file_that_many_ask_for_at_once_is_kept_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "MOST_CACHED", 8000)
    files = Files(tmp_path / "files")
    names = []
    for number in range(3):
        data = bytes([number]) * 900
        source = tmp_path / "source"
        source.write_bytes(data)
        names.append(hashlib.sha256(data).hexdigest())
        await files.add(source, names[-1], "png")
    shelf = assets.Shelf(files)
    for name in names:
        many = (shelf.find(f"{name}.png", {}, None) for _ in range(40))
        for sending in await asyncio.gather(*many):
            assert (sending.status, len(sending.data)) == (200, 900)


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK - 1])
@pytest.mark.parametrize("begin", [0, 7])
async def test_a_slow_phone_holds_a_piece_of_its_bundle_and_not_all_of_it(
    tmp_path: pathlib.Path, size: int, begin: int
) -> None:
    site = Site(tmp_path)
    data = random.Random(size).randbytes(size + begin)
    name = hashlib.sha256(data).hexdigest()
    (tmp_path / "source").write_bytes(data)
    await Files(tmp_path / "files").add(tmp_path / "source", name, "bundle")
    pieces: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        pieces.append(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/_updates/assets/{name}.bundle",
        "headers": [(b"range", f"bytes={begin}-".encode())],
    }
    await site.app(scope, None, send)  # type: ignore[arg-type] # a GET has no body to receive
    assert b"".join(pieces) == data[begin:]
    assert max(map(len, pieces)) <= CHUNK


async def test_a_disk_that_is_away_is_told_of_and_breaks_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pathlib.Path, "exists", away)
    with pytest.raises(Malformed) as refused:
        await assets.Shelf(Files(tmp_path)).find(f"{'0' * 64}.png", {}, None)
    assert refused.value.status == 503


def test_invented_names_of_keys_take_no_room() -> None:
    board = Board(
        app="tiny",
        channel="production",
        branch="production",
        no_update=Signed(body="{}", signatures={"main": "AA=="}),
        lines=(),
        chains={"main": ""},
    )
    answers = answering.Answers(board)
    forms = asking.forms("", 1)
    for number in range(answering.MOST_KEPT + 1):
        assert answers.get(NOTHING, forms, Expected(f"key-{number}"), 1).status == 204
    known = answers.get(NOTHING, forms, Expected("main"), 1)
    assert answers.get(NOTHING, forms, Expected("main"), 1) is known


def test_a_header_that_nobody_means_is_not_parsed() -> None:
    long = "a," * asking.LONGEST
    for parse in (
        lambda: asking.forms(long, 1),
        lambda: asking.expected(long),
        lambda: asking.encoding(long, ()),
    ):
        with pytest.raises(Malformed) as refused:
            parse()
        assert refused.value.status == 431
    assert asking.failed_ids('"x",' * asking.LONGEST) == ()
