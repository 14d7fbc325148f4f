"""Rollbacks, told by phones that go through them: with the newest, late, offline, twice."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from tests.contracts.updates.world import PLATFORMS, App
from tests.fakes.expo_client import dates
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform

from shipway.kit import errors

pytestmark = pytest.mark.anyio


def running(phone: Device) -> str:
    assert phone.launched is not None
    return phone.launched.id


async def poll(phone: Device) -> str:
    """Check, start again, show the first screen; return what runs then."""
    await phone.check()
    phone.start()
    phone.content_appeared()
    return running(phone)


async def phone_of(app: App, platform: Platform = "android") -> Device:
    phone = app.device(platform, trust=await app.trust())
    phone.start()
    return phone


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_to_the_previous_update_under_a_new_id(app: App, platform: Platform) -> None:
    """Android, iOS: an older createdAt is rejected, and a known id is not loaded again."""
    first = await app.publish("one")
    await app.publish("two")
    phone = await phone_of(app, platform)
    await poll(phone)
    back = await app.roll_back()
    assert await poll(phone) == await app.id_of(back, platform)
    assert await app.id_of(back, platform) != await app.id_of(first, platform)
    row, files = phone.launched, phone.storage.files
    assert row is not None
    assert files[row.launch.file_name].startswith(b"// hermes one")


async def test_nothing_is_downloaded_twice_on_the_way_back(app: App) -> None:
    """Android, iOS: a key that is on the phone is not fetched again."""
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    await app.publish("two")
    await poll(phone)
    received = phone.downloads.received
    await app.roll_back()
    await poll(phone)
    assert phone.downloads.received == received


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_to_the_embedded_update(app: App, platform: Platform) -> None:
    await app.publish("one")
    phone = await phone_of(app, platform)
    await poll(phone)
    await app.roll_back("embedded")
    assert await poll(phone) == phone.build.embedded_id
    assert await poll(phone) == phone.build.embedded_id


async def test_the_first_update_goes_back_to_the_embedded_one_by_itself(app: App) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    await app.roll_back()
    assert await poll(phone) == phone.build.embedded_id


async def test_the_commit_time_of_a_rollback_never_changes(app: App) -> None:
    """Android: with another time at each poll it would be applied at each poll."""
    await app.publish("one")
    await app.roll_back("embedded")
    bodies = set()
    for _ in range(3):
        app.world.move(60)
        answer = app.device().reader.read(await app.ask(eas_client_id=str(uuid.uuid4())))
        assert answer.raw is not None
        bodies.add(answer.raw["directive"].body)
    assert len(bodies) == 1
    commit = json.loads(bodies.pop())["parameters"]["commitTime"]
    assert dates.write(dates.android(commit)) == commit


async def test_the_commit_time_is_later_than_all_that_phones_run(app: App) -> None:
    """Android, iOS: else the selection policy rejects the rollback."""
    app.world.move(1)
    await app.publish("one")
    manifest = app.device().reader.read(await app.ask()).manifest
    app.world.move(-3600)  # the server's clock is set back
    try:
        await app.roll_back("embedded")
        directive = app.device().reader.read(await app.ask()).directive
    finally:
        app.world.move(3600)
    assert manifest is not None
    assert directive is not None
    assert directive.commit is not None
    assert directive.commit > manifest.created


async def test_a_phone_that_runs_the_embedded_update_is_told_of_nothing_new(app: App) -> None:
    """Expo's reference server: else its app sees a rollback at each check."""
    await app.publish("one")
    await app.roll_back("embedded")
    phone = await phone_of(app)
    answer = await phone.ask()
    assert answer.manifest is None
    assert answer.directive is None or answer.directive.type == "noUpdateAvailable"


async def test_what_was_published_later_wins_over_a_rollback(app: App) -> None:
    await app.publish("one")
    phone, away = await phone_of(app), await phone_of(app)
    await poll(phone)
    await app.roll_back("embedded")
    await poll(phone)
    later = await app.publish("two")
    for one in (phone, away):
        assert await poll(one) == await app.id_of(later)


async def test_a_second_rollback_goes_one_further(app: App) -> None:
    groups = [await app.publish(text) for text in ("one", "two", "three")]
    phone = await phone_of(app)
    await poll(phone)
    for expected in (b"// hermes two", b"// hermes one"):
        back = await app.roll_back()
        assert await poll(phone) == await app.id_of(back)
        row = phone.launched
        assert row is not None
        assert phone.storage.files[row.launch.file_name].startswith(expected)
    await app.roll_back()
    assert await poll(phone) == phone.build.embedded_id
    assert len(groups) == 3


async def test_twice_to_the_embedded_update_with_a_publish_between(app: App) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    for text in ("two", "three"):
        await app.roll_back("embedded")
        assert await poll(phone) == phone.build.embedded_id
        group = await app.publish(text)
        assert await poll(phone) == await app.id_of(group)


async def test_back_at_the_embedded_update_there_is_nothing_to_take_back(app: App) -> None:
    await app.publish("one")
    await app.roll_back("embedded")
    with pytest.raises(errors.Refused, match="back at the embedded update"):
        await app.roll_back()


async def test_with_nothing_published_there_is_nothing_to_take_back(app: App) -> None:
    with pytest.raises(errors.Refused, match="no update"):
        await app.roll_back()


async def test_to_a_named_group(app: App) -> None:
    first = await app.publish("one")
    for text in ("two", "three"):
        await app.publish(text)
    phone = await phone_of(app)
    await poll(phone)
    back = await app.roll_back(first.id)
    assert await poll(phone) == await app.id_of(back)
    row = phone.launched
    assert row is not None
    assert phone.storage.files[row.launch.file_name].startswith(b"// hermes one")


@pytest.mark.parametrize("asleep", ["since before the bad one", "with the bad one loaded",
                                    "with the bad one running"])  # fmt: skip
async def test_a_phone_that_was_offline_ends_where_all_others_are(app: App, asleep: str) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    bad = await app.publish("two")
    if asleep != "since before the bad one":
        await phone.check()
    if asleep == "with the bad one running":
        phone.start()
        assert running(phone) == await app.id_of(bad)
    back = await app.roll_back()
    assert await poll(phone) == await app.id_of(back)


@pytest.mark.parametrize("checks", [1, 2])
async def test_a_rollback_reaches_a_phone_that_has_the_bad_one_loaded_but_not_started(
    app: App, checks: int
) -> None:
    phone = await phone_of(app)
    await app.publish("one")
    await phone.check()
    await app.roll_back("embedded")
    for _ in range(checks):
        last = await poll(phone)
    if checks == 2:
        assert last == phone.build.embedded_id


async def test_a_rollback_while_a_phone_downloads_does_not_break_it(app: App) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    answer = await phone.ask()
    back = await app.roll_back("embedded")
    assert answer.manifest is not None
    outcome = await phone._take(answer)
    assert outcome.loaded, "addresses stay what they were"
    phone.start()
    assert await poll(phone) == phone.build.embedded_id
    assert back.kind == "embedded"


async def test_a_rollback_of_one_platform_leaves_the_other(app: App) -> None:
    both = await app.publish("one")
    await app.publish("two", platforms=["ios"])
    ios, android = await phone_of(app, "ios"), await phone_of(app)
    await poll(ios)
    assert await poll(android) == await app.id_of(both)
    back = await app.roll_back()
    assert await poll(ios) == await app.id_of(back, "ios")
    assert await poll(android) == await app.id_of(both)


async def test_platforms_may_be_published_one_after_the_other(app: App) -> None:
    android = await app.publish("one", platforms=["android"])
    phone = await phone_of(app, "ios")
    assert await poll(phone) == phone.build.embedded_id
    ios = await app.publish("one", platforms=["ios"])
    assert await poll(phone) == await app.id_of(ios, "ios")
    assert await poll(await phone_of(app)) == await app.id_of(android)


async def test_what_crashes_at_start_is_left_and_not_offered_again(app: App) -> None:
    good = await app.publish("one")
    phone = await phone_of(app)
    assert await poll(phone) == await app.id_of(good)
    bad = await app.publish("two")
    await phone.check()
    phone.start()
    assert running(phone) == await app.id_of(bad)
    after = await phone.crash("TypeError: undefined is not a function")
    assert after is not None
    assert after.id == await app.id_of(good)
    for _ in range(3):
        assert await poll(phone) == await app.id_of(good)
        assert phone.exchanges[-1].reply.status in {200, 204}


async def test_a_fix_reaches_a_phone_that_crashed(app: App) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    await app.publish("two")
    await phone.check()
    phone.start()
    fix = await app.publish("three")
    after = await phone.crash("boom")
    assert after is not None
    assert after.id == await app.id_of(fix), "recovery asks for an update first"


async def test_a_rollback_reaches_a_phone_that_crashed(app: App) -> None:
    await app.publish("one")
    phone = await phone_of(app)
    await poll(phone)
    await app.publish("two")
    await phone.check()
    phone.start()
    await phone.crash("boom")
    back = await app.roll_back()
    assert await poll(phone) == await app.id_of(back)


async def test_the_same_artifacts_published_again_get_a_new_id(app: App) -> None:
    """Android, iOS: an id that has failed once is never launched again."""
    first = await app.publish("one")
    again = await app.publish("one")
    assert await app.id_of(first) != await app.id_of(again)
    phone = await phone_of(app)
    assert await poll(phone) == await app.id_of(again)


@pytest.mark.parametrize("kept", [True, False])
async def test_the_way_back_to_what_was_thrown_away_brings_its_files_back(
    app: App, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    """Shipway: never a manifest whose assets are not all there."""
    code = b"long ago, code of " + app.name.encode()
    first = await app.publish(code=code, assets={})
    await app.publish("two")
    name = hashlib.sha256(code).hexdigest()
    await app.world.shipway.files.remove([name], before=float("inf"))
    assert not app.world.shipway.files.path(name).exists()
    if not kept:

        async def gone(_: str) -> None:
            raise errors.NotFound("The artifact is gone.")

        monkeypatch.setattr(app.world.shipway.store, "path", gone)
        with pytest.raises(errors.Refused, match="not kept any more"):
            await app.roll_back(first.id)
        return
    back = await app.roll_back(first.id)
    phone = await phone_of(app)
    assert await poll(phone) == await app.id_of(back)


@pytest.mark.parametrize("days", [-1, 1, 400])
async def test_a_phone_whose_clock_is_wrong_is_served_like_all_others(app: App, days: int) -> None:
    """Android, iOS: only the certificate is held against the clock of the phone."""
    await app.publish("one")
    phone = await phone_of(app)
    right = phone._clock
    phone._clock = lambda: right() + days * 86_400_000
    group = await app.publish("two")
    assert await poll(phone) == await app.id_of(group)
    await app.roll_back("embedded")
    assert await poll(phone) == phone.build.embedded_id
