from __future__ import annotations

import pytest
from tests.fakes.checkout import SOUND
from tests.fakes.platform import Instance, Live

from shipway.client.client import Client
from shipway.kit import errors
from shipway.runtime.model import Address, Place

pytestmark = pytest.mark.anyio

WITH_VARIABLES = (
    SOUND
    + """
[variables.MAIL_KEY]
kind = "secret"
required = true

[variables.EXPO_PUBLIC_TITLE]
kind = "public"
default = "Tiny"

[environments.production]
domain = "tiny.localhost"

[environments.production.policy]
approvals = 0
reason = "one person alone"
"""
)


async def accepted(live: Live) -> None:
    await live.platform.apps.accept("tiny", "1" * 40, WITH_VARIABLES)


async def test_an_app_is_made_shown_and_removed(
    live: Live, developer: Client, owner: Client
) -> None:
    app = await developer.create_app("tiny")
    assert app.git_url == f"{live.url}/git/tiny.git"
    assert (app.created_by, app.accepted, app.environments) == ("ana", "", ())
    assert live.platform.sources.path("tiny").is_dir()
    with pytest.raises(errors.Conflict):
        await developer.create_app("tiny")
    with pytest.raises(errors.Denied):
        await developer.remove_app("tiny")
    await owner.remove_app("tiny")
    assert not live.platform.sources.path("tiny").exists()
    assert (await owner.apps()).items == ()
    with pytest.raises(errors.NotFound, match="There is no app 'tiny'"):
        await owner.app("tiny")


@pytest.mark.parametrize("name", ["", "A", "../etc", "a" * 80, "x y", "-a", "ä"])
async def test_an_unsafe_name_is_refused(developer: Client, name: str) -> None:
    with pytest.raises(errors.Invalid):
        await developer.create_app(name)


async def test_apps_come_in_pages_by_name(developer: Client) -> None:
    for name in ("cc", "aa", "bb"):
        await developer.create_app(name)
    first = await developer.apps(limit=2)
    rest = await developer.apps(limit=2, after=first.next)
    assert [app.name for app in (*first.items, *rest.items)] == ["aa", "bb", "cc"]


async def test_an_environment_is_shown_whole(live: Live, developer: Client) -> None:
    await developer.create_app("tiny")
    await accepted(live)
    release = await live.platform.releases.add(
        app="tiny", run="run_1", commit="1" * 40, schema_head="", artifacts={}, product="",
        changelog="", authors=(),
    )  # fmt: skip
    live.machine.servers += [
        Instance("ins_1", release.id, Address("127.0.0.1", 20001)),
        Instance("ins_2", "rel_unknown", Address("127.0.0.1", 20002)),
    ]
    shown = await developer.environment("tiny", "production")
    assert shown.addresses == ("https://api.tiny.localhost",)
    assert shown.live is None
    assert [(one.address, one.release) for one in shown.instances] == [
        ("127.0.0.1:20001", "v1"),
        ("127.0.0.1:20002", "rel_unknown"),
    ]
    assert "waf" not in shown.policy
    # Nothing is live: the default is in force, and the file's comes with its release.
    assert (shown.policy["approvals"], shown.weaker) == (1, ())
    assert shown.next_policy == {"approvals": 0}
    assert shown.missing == ("MAIL_KEY",)
    assert shown.database == "No database is asked for."


async def test_an_environment_before_the_first_push(developer: Client) -> None:
    await developer.create_app("tiny")
    shown = await developer.environment("tiny", "staging")
    assert (shown.addresses, shown.missing) == ((), ())
    with pytest.raises(errors.NotFound, match="There is no environment 'moon'"):
        await developer.environment("tiny", "moon")
    with pytest.raises(errors.NotFound, match="There is no app"):
        await developer.environment("nobody", "staging")


async def test_variables_are_set_shown_and_compared(
    live: Live, developer: Client, approver: Client
) -> None:
    await developer.create_app("tiny")
    await accepted(live)
    said = await developer.set_variable("tiny", "staging", "MAIL_KEY", "swordfish-swordfish")
    assert said.sentence.startswith("MAIL_KEY (secret) is set in staging of tiny.")
    with pytest.raises(errors.Denied, match=r"may not set variables here \(production\)"):
        await developer.set_variable("tiny", "production", "MAIL_KEY", "x")
    shown = {v.name: v for v in (await developer.environment("tiny", "staging")).variables}
    assert (shown["MAIL_KEY"].value, shown["MAIL_KEY"].set_by) == (None, "ana")
    assert shown["EXPO_PUBLIC_TITLE"].value == "Tiny"
    differences = (await developer.difference("tiny", "staging", "production")).items
    assert [d.sentence for d in differences if d.name == "MAIL_KEY"] == [
        "MAIL_KEY has no value in production"
    ]
    await approver.set_variable("tiny", "production", "MAIL_KEY", "swordfish-swordfish")
    await developer.unset_variable("tiny", "staging", "MAIL_KEY")
    with pytest.raises(errors.NotFound, match="is not set in staging"):
        await developer.unset_variable("tiny", "staging", "MAIL_KEY")


async def test_no_secret_is_on_the_trail(live: Live, developer: Client, owner: Client) -> None:
    await developer.create_app("tiny")
    await developer.set_variable("tiny", "staging", "MAIL_KEY", "swordfish-swordfish")
    entry = (await owner.audit(limit=1)).items[0]
    assert (entry.what, entry.target) == ("variable.set", "tiny/staging/MAIL_KEY")
    assert entry.detail["value"] == "***"
    answers = await live.platform.database.rows("select * from access.answers")
    assert "swordfish" not in str(answers)


async def test_a_value_that_cannot_be_is_not_repeated(developer: Client) -> None:
    await developer.create_app("tiny")
    with pytest.raises(errors.Invalid) as invalid:
        await developer.set_variable("tiny", "staging", "lower", "swordfish-swordfish")
    assert "swordfish" not in str(invalid.value)


async def test_the_status_tells_of_every_part_and_app(live: Live, developer: Client) -> None:
    await developer.create_app("tiny")
    await accepted(live)
    live.machine.names += ["store", "api", "worker", "edge", "server.tiny.staging.v1.1"]
    place = Place(app="tiny", environment="staging", release="r", deployment="d", index=0)
    live.machine.places.append(place)
    status = await developer.status()
    parts = {part.name: part for part in status.parts}
    assert parts["api"].sentence == "up since 2026-11-01 12:00 UTC"
    assert (parts["intake"].up, parts["intake"].sentence) == (False, "is not there")
    assert not status.healthy
    (app,) = status.apps
    assert [one.name for one in app.environments] == ["staging", "production"]
    assert app.environments[0].sentence == "Nothing was deployed here yet."
    assert [(one.instances, one.alive) for one in app.environments] == [(1, 1), (0, 0)]


async def test_channels_are_added_listed_and_removed(
    live: Live, approver: Client, developer: Client
) -> None:
    await developer.create_app("tiny")
    added = await approver.add_channel("tiny", "webhook", "https://example.org/hook?key=abc")
    assert added.secret.startswith("whsec_")
    assert [one.id for one in (await approver.channels("tiny")).items] == [added.id]
    with pytest.raises(errors.Denied):
        await developer.channels("tiny")
    with pytest.raises(errors.Refused, match="has no mail server"):
        await approver.add_channel("tiny", "email", "ana@example.org")
    with pytest.raises(errors.Invalid, match="is not an http or https address"):
        await approver.add_channel("tiny", "webhook", "file:///etc/passwd")
    await live.platform.outbox.put("x", app="tiny", subject="s", sentence="It happened.")
    (delivery,) = (await developer.deliveries("tiny")).items
    assert (delivery.sentence, delivery.state) == ("It happened.", "waiting")
    await approver.remove_channel("tiny", added.id)
    assert (await approver.channels("tiny")).items == ()
