"""Rollouts: sticky, monotone, the same people on both platforms, and never a way back by chance."""

from __future__ import annotations

import uuid

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.world import App

from shipway.kit import errors
from shipway.updates.records import Group

pytestmark = pytest.mark.anyio

CLIENTS = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128))
           for number in range(1, 97)]  # fmt: skip


async def offered(app: App, client: str | None, **changes: str | None) -> str | None:
    """Return the id of the update that a phone is offered."""
    reply = await app.ask(eas_client_id=client, **changes)
    answer = app.device().reader.read(reply)
    return answer.manifest.id if answer.manifest else None


async def reached(app: App, group: Group, platform: str = "android") -> set[str]:
    wanted = await app.id_of(group, platform)
    return {c for c in CLIENTS if await offered(app, c, expo_platform=platform) == wanted}


async def test_nobody_is_reached_at_0_and_everybody_at_1000(app: App) -> None:
    group = await app.publish(per_mille=0)
    assert await reached(app, group) == set()
    await app.share(group, 1000)
    assert await reached(app, group) == set(CLIENTS)


async def test_a_growing_share_never_loses_anybody_and_is_about_as_large_as_it_says(
    app: App,
) -> None:
    group = await app.publish(per_mille=100)
    before: set[str] = set()
    for share in (100, 300, 600, 999):
        await app.share(group, share)
        now = await reached(app, group)
        assert before <= now
        assert abs(len(now) / len(CLIENTS) - share / 1000) < 0.25  # five deviations
        before = now


async def test_who_is_reached_stays_so_over_time(app: App) -> None:
    group = await app.publish(per_mille=400)
    first = await reached(app, group)
    app.world.move(86_400)
    assert await reached(app, group) == first


async def test_both_platforms_reach_the_same_installations(app: App) -> None:
    group = await app.publish(per_mille=300)
    assert await reached(app, group) == await reached(app, group, "ios")


async def test_the_next_rollout_reaches_others_first(app: App) -> None:
    """Shipway: nobody is always the first to test."""
    one = await app.publish(per_mille=300)
    first = await reached(app, one)
    await app.share(one, 1000)
    two = await app.publish("two", per_mille=300)
    assert await reached(app, two) != first


@each(
    "spelt",
    ("in small letters", "Android", str.lower),
    ("in capitals", "iOS", str.upper),
    ("with spaces around", "RFC 9110, 5.5", lambda text: f" {text} "),
    ("in braces", "Shipway", lambda text: f"{{{text}}}"),
)
async def test_an_installation_is_the_same_however_its_id_is_spelt(app: App, spelt: object) -> None:
    assert callable(spelt)
    await app.publish(per_mille=500)
    for client in CLIENTS[:12]:
        assert await offered(app, spelt(client)) == await offered(app, client)


@each(
    "client",
    ("no id", "Shipway", None),
    ("an empty id", "Shipway", ""),
    ("an id of 4,000 characters", "Shipway", "f" * 4000),
)
async def test_who_is_not_known_is_reached_with_the_whole(app: App, client: str | None) -> None:
    before = await app.publish()
    group = await app.publish("two", per_mille=999)
    assert await offered(app, client) == await app.id_of(before)
    await app.share(group, 1000)
    assert await offered(app, client) == await app.id_of(group)


async def test_who_is_not_reached_is_offered_what_came_before(app: App) -> None:
    before = await app.publish()
    await app.publish("two", per_mille=0)
    assert await offered(app, CLIENTS[0]) == await app.id_of(before)


async def test_who_is_not_reached_and_runs_what_came_before_is_offered_nothing(app: App) -> None:
    before = await app.publish()
    await app.publish("two", per_mille=0)
    running = await app.id_of(before)
    assert await offered(app, CLIENTS[0], expo_current_update_id=running) is None


async def test_a_paused_rollout_reaches_nobody_new(app: App) -> None:
    """Shipway: who has the update keeps it."""
    before = await app.publish()
    group = await app.publish("two", per_mille=500)
    new = await app.id_of(group)
    lucky = next(iter(await reached(app, group)))
    await app.shown(app.world.changes.pause(group.id))
    assert await offered(app, lucky) == await app.id_of(before)
    assert await offered(app, lucky, expo_current_update_id=new) is None
    await app.shown(app.world.changes.resume(group.id))
    assert await offered(app, lucky) == new


async def test_a_share_does_not_shrink(app: App) -> None:
    group = await app.publish(per_mille=500)
    with pytest.raises(errors.Refused, match="50 %"):
        await app.share(group, 100)
    with pytest.raises(errors.Invalid):
        await app.share(group, 1001)


async def test_a_reverted_rollout_takes_the_update_back_from_those_who_have_it(app: App) -> None:
    phones = [app.device(client_id=client) for client in CLIENTS[:20]]
    for phone in phones:
        phone.start()
    await app.publish(assets={})
    for phone in phones:
        await phone.check()
        phone.start()
        phone.content_appeared()
    group = await app.publish("two", per_mille=500, assets={})
    bad = await app.id_of(group)
    for phone in phones:
        await phone.check()
        phone.start()
    assert {phone.launched.id == bad for phone in phones if phone.launched} == {True, False}
    again = await app.roll_back()
    for phone in phones:
        await phone.check()
        assert phone.start().id == await app.id_of(again)


async def test_what_was_taken_back_is_rolled_out_no_further(app: App) -> None:
    await app.publish()
    group = await app.publish("two", per_mille=100)
    await app.roll_back()
    with pytest.raises(errors.Refused, match="was taken back"):
        await app.share(group, 500)


async def test_two_rollouts_at_once_each_keep_their_own(app: App) -> None:
    await app.publish()
    first = await app.publish("two", per_mille=400)
    reached_first = await reached(app, first)
    second = await app.publish("three", per_mille=200)
    reached_second = await reached(app, second)
    assert await reached(app, first) == reached_first - reached_second


async def test_a_rollout_that_failed_on_a_phone_is_not_offered_there_again(app: App) -> None:
    before = await app.publish()
    group = await app.publish("two")
    bad, client = await app.id_of(group), CLIENTS[0]
    failed = {"expo_recent_failed_update_ids": f'"{bad}"'}
    assert await offered(app, client, **failed) == await app.id_of(before)
    # It stays so when the phone has deleted its row and says nothing any more.
    assert await offered(app, client) == await app.id_of(before)
    assert await offered(app, CLIENTS[1]) == bad
