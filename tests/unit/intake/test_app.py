from __future__ import annotations

import asyncio
import gzip
import pathlib
import shutil

import pytest
from tests.unit.intake.packing import Site

from shipway.intake import model
from shipway.intake.app import SECURITY

pytestmark = pytest.mark.anyio

OLD = {"index.html": b"old", "app-0000000000000001.js": b"old script", "old.png": b"png"}
NEW = {"index.html": b"<p>new</p>", "app-0000000000000002.js": b"let a = 1;\n" * 500}
SCRIPT = "/app-0000000000000002.js"


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


async def test_a_page_and_its_script_are_served(site: Site) -> None:
    new = await site.add(NEW)
    page = await site.get("/", new)
    assert (page.status, page.body) == (200, b"<p>new</p>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers.items() >= SECURITY.items()
    script = await site.get(SCRIPT, new)
    assert script.body == NEW["app-0000000000000002.js"]
    assert script.headers["cache-control"] == model.FOR_EVER
    assert int(script.headers["content-length"]) == len(script.body)


async def test_every_place_within_the_app_shows_its_page(site: Site) -> None:
    new = await site.add(NEW)
    for place in ("/notes", "/notes/17", "/notes/17/edit.html"):
        answer = await site.get(place, new)
        assert (answer.status, answer.body) == (200, b"<p>new</p>")


async def test_a_missing_file_is_not_a_page(site: Site) -> None:
    answer = await site.get("/missing.js", await site.add(NEW))
    assert (answer.status, answer.body) == (404, b"There is no such file.\n")
    assert answer.headers["cache-control"] == "no-store"


async def test_files_of_an_older_release_are_still_served_but_not_its_pages(site: Site) -> None:
    old, new = await site.add(OLD), await site.add(NEW)
    assert (await site.get("/app-0000000000000001.js", new, old)).body == b"old script"
    assert (await site.get("/app-0000000000000001.js", new)).status == 404
    assert (await site.get("/", new, old)).body == b"<p>new</p>"


async def test_an_older_release_that_is_gone_harms_nobody(site: Site) -> None:
    new = await site.add(NEW)
    assert (await site.get("/old.png", new, "0" * 64)).status == 404
    assert (await site.get("/", new, "0" * 64)).status == 200


async def test_an_artifact_that_is_missing_or_no_export_is_told(site: Site) -> None:
    missing = await site.get("/", "0" * 64)
    assert missing.status == 503
    assert (
        b"cannot be shown at the moment. Artifact 000000000000 is not in the store" in missing.body
    )
    other = await site.get("/", await site.add({"main.py": b"secret"}))
    assert other.status == 503
    assert list(site.cache.iterdir()) == []


async def test_who_comes_round_the_edge_gets_nothing(site: Site) -> None:
    await site.add(NEW)
    assert (await site.get("/")).status == 404
    assert (await site.get("/", "../../etc")).status == 404
    assert (await site.get("/health", "../../etc")).status == 404
    assert (await site.get("/health")).body == b"ok\n"


async def test_only_reading_is_answered(site: Site) -> None:
    answer = await site.get("/", await site.add(NEW), method="POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_head_tells_the_size_without_the_bytes(site: Site) -> None:
    answer = await site.get("/", await site.add(NEW), method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "10")


async def test_what_a_browser_has_is_not_sent_again(site: Site) -> None:
    new = await site.add(NEW)
    etag = (await site.get("/", new)).headers["etag"]
    again = await site.get("/", new, if_none_match=etag)
    assert (again.status, again.body) == (304, b"")
    other = await site.add(NEW | {"index.html": b"<p>newer</p>"})
    assert (await site.get("/", other, if_none_match=etag)).status == 200
    same = await site.get(
        SCRIPT, other, if_none_match=(await site.get(SCRIPT, new)).headers["etag"]
    )
    assert same.status == 304, "the same content keeps its tag from export to export"


async def test_parts_of_a_file(site: Site) -> None:
    new = await site.add(NEW)
    part = await site.get("/", new, range="bytes=3-5")
    assert (part.status, part.body) == (206, b"new")
    assert part.headers["content-range"] == "bytes 3-5/10"
    beyond = await site.get("/", new, range="bytes=10-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */10")
    etag = part.headers["etag"]
    assert (await site.get("/", new, range="bytes=3-5", if_range=etag)).status == 206
    assert (await site.get("/", new, range="bytes=3-5", if_range='"other"')).status == 200


async def test_texts_are_sent_compressed_to_who_takes_them(site: Site) -> None:
    answer = await site.get(SCRIPT, await site.add(NEW), accept_encoding="gzip, deflate, br")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["vary"] == "accept-encoding"
    assert gzip.decompress(answer.body) == NEW["app-0000000000000002.js"]


async def test_many_first_visitors_unpack_once(site: Site) -> None:
    new = await site.add(NEW)
    answers = await asyncio.gather(*(site.get("/", new) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert [path.name for path in site.cache.iterdir()] == [new]


async def test_a_visitor_who_hangs_up_does_not_stop_the_others(site: Site) -> None:
    new = await site.add(NEW)
    first = asyncio.create_task(site.get("/", new))
    second = asyncio.create_task(site.get("/", new))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == 200


async def test_exports_that_nobody_asks_for_make_room(tmp_path: pathlib.Path) -> None:
    site = Site(tmp_path, most_bytes=2500)
    digests = [await site.add({"index.html": bytes([number]) * 1000}) for number in range(4)]
    first, second, third, _ = digests
    await site.get("/", first)
    await site.get("/", second)
    await site.get("/", first)
    await site.get("/", third)
    assert {path.name for path in site.cache.iterdir()} == {first, third}
    assert (await site.get("/", second)).status == 200


async def test_an_export_that_was_cleared_away_is_unpacked_again(site: Site) -> None:
    new = await site.add(NEW)
    await site.get("/", new)
    shutil.rmtree(site.cache / new)
    assert (await site.get("/", new)).body == b"<p>new</p>"


async def test_a_new_process_takes_over_what_is_whole(tmp_path: pathlib.Path) -> None:
    site = Site(tmp_path)
    new = await site.add(NEW)
    await site.get("/", new)
    (site.cache / ".draft-1").mkdir()
    shutil.rmtree(tmp_path / "artifacts")
    later = Site(tmp_path)
    await later.exports.open()
    assert (await later.get("/", new)).body == b"<p>new</p>"
    assert [path.name for path in site.cache.iterdir()] == [new]
