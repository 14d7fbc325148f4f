"""Channels: paused, pinned, pointed elsewhere; what the server has its clients remember."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tests.contracts.updates.cases import each
from tests.contracts.updates.world import PLATFORMS, App
from tests.fakes.expo_client import structured
from tests.fakes.expo_client.device import Device
from tests.fakes.expo_client.manifest import Platform

from shipway.kit import errors

pytestmark = pytest.mark.anyio


async def poll(phone: Device) -> str:
    await phone.check()
    phone.start()
    phone.content_appeared()
    assert phone.launched is not None
    return phone.launched.id


def started(app: App, platform: Platform = "android") -> Device:
    phone = app.device(platform)
    phone.start()
    return phone


async def test_a_paused_channel_offers_nothing_and_goes_on_later(app: App) -> None:
    group = await app.publish("one")
    await app.change_channel(paused=True)
    phone = started(app)
    assert await poll(phone) == phone.build.embedded_id
    assert phone.exchanges[-1].reply.header("expo-protocol-version") == "1"
    await app.change_channel(paused=False)
    assert await poll(phone) == await app.id_of(group)


async def test_a_paused_channel_withholds_rollbacks_too(app: App) -> None:
    group = await app.publish("one")
    phone = started(app)
    await poll(phone)
    await app.change_channel(paused=True)
    await app.roll_back("embedded")
    assert await poll(phone) == await app.id_of(group)


async def test_a_pinned_channel_offers_nothing_newer(app: App) -> None:
    first = await app.publish("one")
    await app.change_channel(pinned=first.id)
    second = await app.publish("two")
    phone = started(app)
    assert await poll(phone) == await app.id_of(first)
    await app.change_channel(pinned="")
    assert await poll(phone) == await app.id_of(second)


async def test_a_channel_cannot_be_pinned_to_another_apps_update(app: App) -> None:
    other = app.world.app()
    group = await other.publish()
    await app.publish()
    with pytest.raises(errors.NotFound):
        await app.change_channel(pinned=group.id)


async def test_a_channel_cannot_point_at_a_branch_that_is_not(app: App) -> None:
    await app.publish()
    with pytest.raises(errors.NotFound):
        await app.change_channel(branch="nowhere")


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_channel_that_points_elsewhere_takes_its_phones_with_it(
    app: App, platform: Platform
) -> None:
    """Android, iOS: only a filter moves a phone to an update that is older."""
    beta = await app.publish("beta", branch="beta")
    main = await app.publish("main")
    phone = started(app, platform)
    assert await poll(phone) == await app.id_of(main, platform)
    await app.change_channel(branch="beta")
    assert await poll(phone) == await app.id_of(beta, platform)
    await app.change_channel(branch="production")
    assert await poll(phone) == await app.id_of(main, platform)


async def test_a_filter_names_the_branch_and_the_manifest_passes_it(app: App) -> None:
    await app.publish("beta", branch="beta")
    await app.publish("main")
    await app.change_channel(branch="beta")
    reply = await app.ask()
    filters = structured.parse_dictionary(reply.header("expo-manifest-filters") or "")
    assert filters == {"branch": "beta"}
    answer = app.device().reader.read(reply)
    assert answer.manifest is not None
    assert answer.manifest.metadata["branch"] == "beta"


async def test_each_channel_has_updates_of_its_own(app: App) -> None:
    production = await app.publish("one")
    staging = await app.publish("two", branch="staging")
    app.channel = "staging"
    tester = started(app)
    app.channel = "production"
    user = started(app)
    assert await poll(tester) == await app.id_of(staging)
    assert await poll(user) == await app.id_of(production)


async def test_a_build_without_a_channel_gets_that_of_its_host(app: App) -> None:
    group = await app.publish("one")
    phone = app.device(request_headers={})
    phone.start()
    assert await poll(phone) == await app.id_of(group)


async def test_a_phone_that_changes_its_channel_launches_nothing_of_the_other(app: App) -> None:
    """Android, iOS: an update is launched only with the headers that it was loaded with."""
    await app.publish("one")
    staging = await app.publish("two", branch="staging")
    phone = started(app)
    await poll(phone)
    other = app.device(
        request_headers={"expo-channel-name": "staging"},
        embedded_id=phone.build.embedded_id,
        embedded_commit=phone.build.embedded_commit,
    )
    other.storage.rows, other.storage.files = phone.storage.rows, phone.storage.files
    other.storage.filters = phone.storage.filters
    assert other.start().id == phone.build.embedded_id
    assert await poll(other) == await app.id_of(staging)


# --- headers that the server defines ----------------------------------------------------------------


@each(
    "defined",
    ("one", "Expo Updates 1", {"x-group": "7"}),
    ("several", "Expo Updates 1", {"x-a": "1", "x-b": "2"}),
    ("one with quotes and commas", "SFV", {"x-a": 'say "no", \\ twice'}),
    ("one that tries to be the platform", "Android", {"expo-platform": "web", "x-a": "1"}),
)
async def test_what_the_server_defines_comes_back(app: App, defined: dict[str, str]) -> None:
    await app.publish("one")
    await app.change_channel(headers=defined)
    phone = started(app)
    await phone.check()
    await phone.check()
    told = phone.exchanges[-1].headers
    assert {name: told.get(name) for name in defined if name.startswith("x-")} == {
        name: value for name, value in defined.items() if name.startswith("x-")
    }
    assert told["Expo-Platform"] == "android"


@pytest.mark.parametrize("state", ["an update", "a rollback", "nothing new"])
async def test_they_stand_in_every_answer(app: App, state: str) -> None:
    """Android, iOS: both are saved with directives too."""
    group = await app.publish("one")
    await app.change_channel(headers={"x-a": "1"})
    if state == "a rollback":
        await app.roll_back("embedded")
    current = await app.id_of(group) if state == "nothing new" else None
    reply = await app.ask(expo_current_update_id=current)
    assert reply.header("expo-server-defined-headers") == 'x-a="1"'
    assert reply.header("expo-manifest-filters") == 'branch="production"'


async def test_they_are_taken_back_by_an_empty_dictionary(app: App) -> None:
    """Android, iOS: an absent header leaves the old ones for ever."""
    await app.publish("one")
    await app.change_channel(headers={"x-a": "1"})
    phone = started(app)
    await phone.check()
    assert phone.storage.server_headers == {"x-a": "1"}
    await app.change_channel(headers={})
    await phone.check()
    assert phone.storage.server_headers == {}


async def test_without_any_there_is_no_such_header(app: App) -> None:
    await app.publish("one")
    assert (await app.ask()).header("expo-server-defined-headers") is None


async def test_extensions_tell_which_headers_go_with_which_asset(app: App) -> None:
    """Expo Updates 1: by the key of the asset, values are texts."""
    await app.publish("one")
    channel = await app.world.records.channel(app.name, "production")
    told = dataclasses.replace(channel, asset_headers={"authorization": "Bearer x"})
    await app.world.records.change_channel(told)
    await app.shown(app.world.shipway.boards.refresh(app.name))
    phone = started(app)
    outcome = await phone.check()
    assert outcome.answer is not None
    manifest, extensions = outcome.answer.manifest, outcome.answer.extensions
    assert manifest is not None
    assert extensions == {
        "assetRequestHeaders": {
            asset.key: {"authorization": "Bearer x"} for asset in manifest.all_assets
        }
    }
    sent = [one.headers.get("authorization") for one in phone.exchanges[1:]]
    assert sent == ["Bearer x"] * 3
    json.dumps(extensions)


@each(
    "defined",
    ("a name in capitals", "SFV", {"X-Group": "7"}),
    ("a name with a space", "SFV", {"x group": "7"}),
    ("a value that is not ASCII", "SFV", {"x-group": "größer"}),
    ("a value with a line end", "SFV", {"x-group": "a\r\nexpo-platform: web"}),
)
async def test_what_no_client_could_read_is_not_taken(app: App, defined: dict[str, str]) -> None:
    """Android, iOS: a header that is malformed is ignored without a word."""
    await app.publish("one")
    with pytest.raises(errors.ShipwayError):
        await app.change_channel(headers=defined)
    reply = await app.ask()
    assert reply.status == 200
    assert reply.header("expo-server-defined-headers") is None
