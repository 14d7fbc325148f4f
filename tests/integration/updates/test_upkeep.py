"""What the worker does by itself: patches, adoption, halting, garbage."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import os
import pathlib
import random
import types
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import bsdiff4
import httpx2
import pytest
from tests.fakes import updates

from shipway.environments.vault import Vault
from shipway.health.outbox import Outbox
from shipway.kit import db, errors
from shipway.updates import board, patching
from shipway.updates.changing import Changes
from shipway.updates.files import Files
from shipway.updates.garbage import SAFETY
from shipway.updates.office import WATCHED, Halted, Office
from shipway.updates.patching import Pair, Patcher
from shipway.updates.records import Group, Records
from shipway.workflows import updating
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

APP = updates.APP


@pytest.fixture
async def shipway(database: db.Database, home: pathlib.Path) -> AsyncIterator[updates.Shipway]:
    async with updates.served(database, home) as found:
        yield found


@pytest.fixture
def office(shipway: updates.Shipway) -> Office:
    vault = Vault.at(shipway.home, opens=True)
    return Office.of(shipway.database, shipway.store, vault, shipway.home, now=shipway.clock)


def code(seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(200_000)


async def nobody(_: Halted) -> None:
    """Is told of what is halted."""


async def poll(shipway: updates.Shipway, client: str, **headers: str) -> int:
    """Ask for an update as a device does."""
    device = {
        "expo-platform": "ios",
        "expo-protocol-version": "1",
        "expo-runtime-version": updates.RUNTIMES["ios"],
        "eas-client-id": client,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        answer = await http.get(shipway.manifest_url, headers={**shipway.edge(), **device})
        return answer.status_code


async def load(
    shipway: updates.Shipway, base: str, target: str, launch: str, client: str = "c"
) -> httpx2.Response:
    """Load a bundle as a device that runs another one does."""
    headers = {
        "a-im": "bsdiff",
        "accept-encoding": "identity",
        "eas-client-id": client,
        "expo-current-update-id": base,
        "expo-requested-update-id": target,
    }
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        url = f"{shipway.base_url}/_updates/assets/{launch}.bundle"
        return await http.get(url, headers={**shipway.edge(), **headers})


async def test_a_patch_is_made_from_what_was_offered_before(
    shipway: updates.Shipway, office: Office
) -> None:
    old = (await shipway.offers(await shipway.publish(code=code())))["ios"]
    group = await shipway.publish(code=code() + b"one line more")
    new = (await shipway.offers(group))["ios"]
    whole = await load(shipway, old.id, new.id, new.launch)
    assert whole.status_code == 200
    assert await office.make_patches() == 2
    await office.boards.refresh(APP)
    await shipway.settle()

    answer = await load(shipway, old.id.upper(), new.id, new.launch)

    assert (answer.status_code, answer.headers["im"]) == (226, "bsdiff")
    assert answer.headers["expo-base-update-id"] == old.id
    assert "no-store" in answer.headers["cache-control"]
    assert len(answer.content) < len(whole.content) / 50
    base = await load(shipway, "", old.id, old.launch)
    assert bsdiff4.patch(base.content, answer.content) == whole.content
    await shipway.sightings.flush()
    await office.adoption.read()
    (made,) = [one for one in await office.patches.all(APP) if one.target == new.launch]
    assert made.hits == 1
    assert await office.make_patches() == 0, "what was tried once is not tried again"


async def test_a_patch_that_a_busy_machine_kept_from_being_made_is_tried_a_few_times(
    shipway: updates.Shipway, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (b"", b"one line more"):
        await shipway.publish(code=code() + text, platforms=["ios"])
    tries = 0

    async def too_slow(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise errors.Failed("It took longer than 300 s.")

    async def an_hour_later() -> None:
        await office.make_patches()
        await office.make_patches()
        await shipway.database.run("update updates.patches set again = again - interval '1 hour'")

    with monkeypatch.context() as slow:
        slow.setattr(patching, "_diff", too_slow)
        await an_hour_later()
        assert tries == 1, "and not at every look"
        await an_hour_later()
        assert tries == 2
        (made,) = await office.patches.all(APP)
        assert (made.offered, made.sentence) == (
            False,
            "No patch was made: It took longer than 300 s.",
        )
    assert await office.make_patches() == 1
    with monkeypatch.context() as slow:
        slow.setattr(patching, "_diff", too_slow)
        await shipway.publish(code=code() + b"two lines more", platforms=["ios"])
        tries = 0
        for _ in range(6):
            await an_hour_later()
        pairs = [one for one in await office.patches.all(APP) if not one.offered]
        assert tries == patching.TRIES * len(pairs), "at some time it is given up"


async def test_a_patch_that_is_hardly_smaller_is_not_offered(
    shipway: updates.Shipway, office: Office
) -> None:
    old = (await shipway.offers(await shipway.publish(code=code(1))))["ios"]
    new = (await shipway.offers(await shipway.publish(code=code(2))))["ios"]
    assert await office.make_patches() == 0
    await office.boards.refresh(APP)
    await shipway.settle()
    assert (await load(shipway, old.id, new.id, new.launch)).status_code == 200
    assert all("not worth it" in one.sentence for one in await office.patches.all(APP))


@pytest.mark.parametrize(("cap", "most"), [("MOST_MEMORY", 120 * 2**20), ("MOST_CPU_SECONDS", 1)])
async def test_making_a_patch_is_bounded(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, cap: str, most: int
) -> None:
    files = Files(home)
    names = []
    for seed in (1, 2):
        data = random.Random(seed).randbytes(16 * 2**20)
        names.append(hashlib.sha256(data).hexdigest())
        path = files.path(names[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.setattr(patching, cap, most)

    made = await Patcher(files).make(Pair(base=names[0], target=names[1]))

    assert (made.offered, made.again) == (False, True)
    assert made.sentence.startswith("No patch was made: ")


async def test_devices_are_counted_and_survive_a_restart(
    shipway: updates.Shipway, office: Office
) -> None:
    group = await shipway.publish()
    update = (await shipway.offers(group))["ios"]
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    for client in (one, one.upper(), two):
        await poll(shipway, client)
    await load(shipway, "", update.id, update.launch, one)
    await poll(shipway, one, expo_current_update_id=update.id)
    failed = {"expo_recent_failed_update_ids": f'"{update.id}"'}
    await poll(shipway, two, **failed, expo_fatal_error="no such module, says a@b.org")
    await shipway.sightings.flush()
    assert await office.adoption.read() == 6
    assert await office.adoption.read() == 0, "each line is read once"

    (told,) = [row for row in await office.adoption.of(group.id) if row.platform == "ios"]

    assert (told.offered, told.downloaded, told.launched, told.failed) == (2, 1, 1, 1)
    assert told.running == 1
    (failure,) = await office.adoption.failures(group.id)
    assert failure.error == "no such module, says <email>"
    files = list(pathlib.Path(shipway.home, "owners", "intake", "updates").rglob("*.ndjson"))
    assert len(files) == 2
    assert not any(two in path.read_text() for path in files), "ids are hashed"


async def test_devices_that_are_not_heard_of_after_an_update_are_silent(
    shipway: updates.Shipway, office: Office
) -> None:
    """A crash that no phone can tell of looks like this."""
    group = await shipway.publish(platforms=["ios"])
    gone, alive = str(uuid.uuid4()), str(uuid.uuid4())

    async def silent() -> int:
        await shipway.sightings.flush()
        await office.adoption.read()
        (told,) = await office.adoption.of(group.id)
        assert told.offered == 2
        return told.silent

    for client in (gone, alive):
        await poll(shipway, client)
    assert await silent() == 0, "there was no time yet"
    for table, column in (("exposures", "offered"), ("devices", "last_at")):
        await shipway.database.run(
            f"update updates.{table} set {column} = {column} - interval '2 days'"
        )
    assert await silent() == 2
    await poll(shipway, alive)
    assert await silent() == 1


async def test_what_nobody_published_is_not_counted(
    shipway: updates.Shipway, office: Office
) -> None:
    """Whoever invents updates must not fill the database."""
    await shipway.publish()
    for _ in range(3):
        await poll(shipway, str(uuid.uuid4()), expo_current_update_id=str(uuid.uuid4()))
    await shipway.sightings.flush()
    await office.adoption.read()
    exposed = await shipway.database.rows("select distinct update_id from updates.exposures")
    assert len(exposed) == 1, "what they were offered"


async def test_an_app_that_is_removed_takes_its_updates_with_it(
    shipway: updates.Shipway, office: Office
) -> None:
    first = await shipway.publish()
    await shipway.publish(code=b"2", channel="staging")
    await shipway.roll_back()
    await shipway.register_build()
    device = str(uuid.uuid4())
    assert await poll(shipway, device) == 200

    await office.records.remove(APP)
    await office.keep_house(nobody)
    await shipway.settle()

    assert await poll(shipway, device) == 404
    assert not (shipway.home / "updates" / "boards" / APP).exists()
    await shipway.sightings.flush()
    assert await office.adoption.read() == 1, "what was seen of it before"
    tables = await shipway.database.rows(
        "select table_name as name from information_schema.columns"
        " where table_schema = 'updates' and column_name = 'app'"
    )
    for table in tables:
        left = await shipway.database.rows(f'select app from updates."{table["name"]}"')
        assert left == [], table["name"]
    again = await shipway.publish(code=b"1")
    assert again.id != first.id
    assert await poll(shipway, device) == 200


async def test_a_rollout_that_fails_on_devices_is_halted(
    shipway: updates.Shipway, office: Office
) -> None:
    first = await shipway.publish(code=b"1")
    second = await shipway.publish(code=b"2", per_mille=999)
    update = (await shipway.offers(second))["ios"].id
    for _ in range(4):
        await poll(shipway, str(uuid.uuid4()), expo_recent_failed_update_ids=f'"{update}"')
    await shipway.sightings.flush()

    await office.keep_house(nobody)

    assert (await office.records.group(second.id)).state == "reverted"
    newest = await office.records.newest(APP, "production")
    assert newest
    assert (newest.source, newest.author) == (first.id, "shipway")
    assert "4 of 4 devices failed to launch it" in newest.message
    await office.keep_house(nobody)
    assert await office.records.newest(APP, "production") == newest


async def test_an_update_that_everybody_has_is_watched_for_a_week(
    shipway: updates.Shipway, office: Office
) -> None:
    """Devices load at one start and launch at the next: the rollout is over by then."""
    await shipway.publish(code=b"1")
    second = await shipway.publish(code=b"2", version="v2", release="rel_2")
    update = (await shipway.offers(second))["ios"].id
    for _ in range(4):
        await poll(shipway, str(uuid.uuid4()), expo_recent_failed_update_ids=f'"{update}"')
    await shipway.sightings.flush()
    await office.adoption.read()
    shipway.clock.ahead = WATCHED + datetime.timedelta(hours=1)
    assert await office.halt_failing(nobody) == []
    shipway.clock.ahead = datetime.timedelta()
    on = worker(office, shipway.database)

    for _ in range(2):
        await updating.keep_house(on)

    assert (await office.records.group(second.id)).state == "reverted"
    assert await told(shipway.database) == [HALTED]


async def failing(shipway: updates.Shipway, channel: str = "production") -> Group:
    """Publish an update that four phones say they cannot launch."""
    await shipway.publish(code=b"1", channel=channel)
    group = await shipway.publish(code=b"2", per_mille=999, channel=channel, version="v2")
    update = (await shipway.offers(group))["ios"].id
    said = {"expo_recent_failed_update_ids": f'"{update}"', "expo_channel_name": channel}
    for _ in range(4):
        await poll(shipway, str(uuid.uuid4()), **said)
    await shipway.sightings.flush()
    return group


def worker(office: Office, database: db.Database) -> Platform:
    """The parts of the worker that look after updates."""
    return cast("Platform", types.SimpleNamespace(updates=office, outbox=Outbox(database)))


async def told(database: db.Database) -> list[tuple[str, str]]:
    rows = await database.rows("select event, sentence from health.outbox order by at, id")
    return [(row["event"], row["sentence"]) for row in rows]


HALTED = (
    "update.halted",
    "production took back the update of v2 by itself: 4 of 4 devices failed to launch it.",
)


async def test_an_update_is_not_taken_back_without_anybody_being_told(
    shipway: updates.Shipway, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await failing(shipway)
    on, put = worker(office, shipway.database), Outbox.put

    async def lost(*given: Any, **more: Any) -> None:
        await put(*given, **more)
        raise errors.Unavailable("The database does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "put", lost)
        with pytest.raises(errors.Unavailable):
            await updating.keep_house(on)
    assert (await office.records.group(group.id)).state == "rolling"
    assert await told(shipway.database) == []

    await updating.keep_house(on)
    assert (await office.records.group(group.id)).state == "reverted"
    assert await told(shipway.database) == [HALTED]


async def test_an_update_that_nobody_can_sign_a_way_back_from_is_held_back(
    shipway: updates.Shipway, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken back once somebody signs again. The others need not wait for that."""
    group, other = await failing(shipway), await failing(shipway, "staging")
    on, copy = worker(office, shipway.database), Changes._copy

    async def unsigned(self: Changes, new: Group, *given: Any) -> Any:
        if new.branch == "production":
            raise errors.Failed("The command that signs has failed.")
        return await copy(self, new, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Changes, "_copy", unsigned)
        for _ in range(2):
            await updating.keep_house(on)
    await shipway.settle()
    assert (await office.records.group(group.id)).state == "paused"
    assert (await office.records.group(other.id)).state == "reverted"
    event, sentence = (await told(shipway.database))[0]
    assert event == "update.not_taken_back"
    assert sentence == (
        "production offers the update of v2 to nobody new: 4 of 4 devices failed to launch it."
        " It could not be taken back: The command that signs has failed."
    )
    assert len(await told(shipway.database)) == 2

    await updating.keep_house(on)
    assert (await office.records.group(group.id)).state == "reverted"
    assert (await told(shipway.database))[2:] == [HALTED]


async def test_what_was_read_first_is_not_written_last(
    shipway: updates.Shipway, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an update that was taken back would be offered again for a while."""
    await shipway.publish(code=b"1")
    looked, goes_on, known = asyncio.Event(), asyncio.Event(), Records.known

    async def slow(self: Records, app: str, *, most: int) -> Any:
        if not looked.is_set():
            looked.set()
            await goes_on.wait()
        return await known(self, app, most=most)

    monkeypatch.setattr(Records, "known", slow)
    first = asyncio.create_task(office.boards.refresh(APP))
    await looked.wait()
    rollback = asyncio.create_task(
        office.changes.roll_back(APP, "production", key="back", author="ada", to="embedded")
    )
    while await office.records.group_of_key("back") is None:  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.01)
    goes_on.set()
    await asyncio.gather(first, rollback)
    found = board.read(shipway.home / "updates" / "boards" / APP / "production.json")
    assert {line.entries[0].kind for line in found.lines} == {"embedded"}


async def test_garbage_goes_when_nobody_can_ask_for_it(
    shipway: updates.Shipway, office: Office
) -> None:
    first = (await shipway.offers(await shipway.publish(code=b"first", assets={"png": b"p"})))[
        "ios"
    ]
    for number in range(13):
        await shipway.publish(code=str(number).encode())
    assert (await office.garbage.find()).files == []
    for name in shipway.files.all():
        old = shipway.files.path(name).stat().st_mtime - SAFETY.total_seconds()
        os.utime(shipway.files.path(name), (old, old))
    assert (await office.garbage.find()).files == [], "a device may still come for them"
    shipway.clock.ahead = SAFETY * 2

    found = await office.garbage.find()

    assert first.launch in found.files
    assert found.size > 0
    assert shipway.files.path(first.launch).exists(), "finding is no removing"
    assert (await office.garbage.remove()).files == found.files
    assert not shipway.files.path(first.launch).exists()
    assert (await load(shipway, "", first.id, first.launch)).status_code == 404
    newest = (await shipway.offers(await shipway.publish(code=b"12")))["ios"]
    assert (await load(shipway, "", newest.id, newest.launch)).status_code == 200
