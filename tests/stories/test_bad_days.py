"""Whatever goes wrong on the way, the release before goes on serving, and a sentence says so."""

from __future__ import annotations

import asyncio

import pytest
from demo.stage import Failed, Stage
from tests.stories.changing import FILE, SERVER, TINY, WORDS, answer, changed

from shipway import wiring
from shipway.client import client, wire
from shipway.kit import errors, http, settings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

FIRST_ANSWER = "def health() -> tuple[int, dict[str, str]]:\n"
LAST_ANSWER = """
GONE = os.path.join(os.environ.get("HOME", ""), "gone")
if os.path.exists(GONE):
    raise SystemExit("gone for good")

def health() -> tuple[int, dict[str, str]]:
    if "SHIPWAY_ENVIRONMENT" in os.environ:
        threading.Timer(0.3, lambda: (open(GONE, "w").close(), os._exit(1))).start()
"""
"""Once it has been asked for its health, and has answered well, it is gone for good."""
FAILS_WHERE_DEPLOYED = """
alter table notes add column colour text;
do $$ begin
    if current_user = 'schema_owner' then raise 'there is a note in the way'; end if;
end $$;
"""
"""A migration that the app's tests cannot find out about."""


async def status(tiny: Stage, environment: str) -> int:
    """Ask how an environment is, and return the status: 503 when nobody answers."""
    url = f"{tiny.url(environment)}/health"
    return (await http.get(url, address=tiny.edge, ca_file=tiny.ca_file)).status_code


def only_deployed(text: str) -> str:
    """Make the app sick where it is deployed: its tests must pass for it to come so far."""
    deployed = '__import__("os").environ.get("SHIPWAY_ENVIRONMENT")'
    return text.replace('FAULT = ""', f'FAULT = "unready" if {deployed} else ""')


async def gates_saying(api: client.Client, release: wire.Release, words: str) -> list[wire.Gate]:
    """Return the gates of a release whose judgement has these words."""
    found = await api.release(release.app, release.id)
    return [gate for gate in found.gates if words in gate.sentence]


async def test_a_failing_test_stops_the_run(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(tiny, WORDS, lambda text: text.replace("assertTrue", "assertFalse")):
        run = await tiny.push()

    assert run.state == "failed"
    assert "test unit failed" in run.sentence
    assert await tiny.live("staging") == live
    await answer(tiny, "staging")


async def test_a_build_that_fails_stops_the_run(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(tiny, FILE, lambda text: text.replace("tiny.server:", "tiny.nowhere:")):
        run = await tiny.push()

    assert run.state == "failed"
    assert "The server has no module tiny.nowhere: correct `entry`" in run.sentence
    assert await tiny.live("staging") == live
    await answer(tiny, "staging")


async def test_a_server_that_never_becomes_ready_gets_no_traffic(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(tiny, TINY, only_deployed):
        run = await tiny.push()

    assert run.state == "failed"
    assert f"staging keeps {live}" in run.sentence
    assert "did not answer /health with 200" in run.sentence
    await answer(tiny, "staging")


async def test_a_server_that_cannot_start_shows_why(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(
        tiny,
        SERVER,
        lambda text: text.replace(
            "def main() -> None:", "def main() -> None:\n    raise SystemExit('no licence')"
        ),
    ):
        run = await tiny.push()

    assert f"staging keeps {live}" in run.sentence
    assert "no licence" in run.sentence


async def test_a_server_that_dies_once_it_was_ready_gets_no_traffic(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(tiny, SERVER, lambda text: text.replace(FIRST_ANSWER, LAST_ANSWER)):
        run = await tiny.push()

    assert run.state == "failed"
    assert f"staging keeps {live}" in run.sentence
    await answer(tiny, "staging")
    found = settings.load(home=tiny.shipway_home)
    assert all(one.up for one in await wiring.keeper(found).services(f"server.{tiny.app}."))


async def test_a_server_that_dies_when_it_is_live_is_started_again(tiny: Stage) -> None:
    async with changed(tiny, TINY, lambda text: text.replace('FAULT = ""', 'FAULT = "dies"')):
        await tiny.deliver()
    live = await tiny.live("staging")

    died = await http.get(f"{tiny.url('staging')}/die", address=tiny.edge, ca_file=tiny.ca_file)
    assert died.status_code in {502, 503}
    async with asyncio.timeout(60):
        while await status(tiny, "staging") != 200:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.1)

    assert await tiny.live("staging") == live
    found = settings.load(home=tiny.shipway_home)
    deaths = [
        one.restarts for one in await wiring.keeper(found).services(f"server.{tiny.app}.staging")
    ]
    assert max(deaths) >= 1


async def test_a_migration_that_fails_leaves_the_schema_and_the_release(tiny: Stage) -> None:
    live = await tiny.live("staging")
    head = (await answer(tiny, "staging"))["schema_head"]
    bad = tiny.checkout / "server" / "migrations" / "0002_bad.sql"
    bad.write_text(FAILS_WHERE_DEPLOYED)
    await tiny.git("add", ".")
    await tiny.git("commit", "--quiet", "--message=Add a bad migration")

    run = await tiny.push()

    bad.unlink()
    await tiny.git("commit", "--quiet", "--all", "--message=Take it back")
    assert run.state == "failed"
    assert "there is a note in the way" in run.sentence
    assert await tiny.live("staging") == live
    assert (await answer(tiny, "staging"))["schema_head"] == head


async def test_a_broken_shipway_toml_is_refused_in_the_push(tiny: Stage) -> None:
    async with changed(tiny, FILE, lambda text: text.replace("entry =", "entri =")):
        with pytest.raises(Failed, match="entri"):
            await tiny.git("push", "shipway", "main")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('folder = "server"', 'folder = "../../../etc"'), "folder"),
        (('"migrations"]', '"/etc/passwd"]'), "files"),
        (('name = "tiny"', 'name = "../tiny"'), "name"),
        (('name = "tiny"', 'name = "tiny\\u0000"'), "name"),
        (("timeout_seconds = 60", "timeout_seconds = 1e99"), "timeout_seconds"),
        (('name = "tiny"', "[" * 50_000), "is not valid"),
    ],
)
async def test_a_hostile_shipway_toml_is_refused_in_the_push(
    tiny: Stage, change: tuple[str, str], told: str
) -> None:
    before = await tiny.last_run()

    async with changed(tiny, FILE, lambda text: text.replace(*change)):
        with pytest.raises(Failed, match="remote: Shipway refuses this push") as refused:
            await tiny.git("push", "shipway", "main")

    assert told in str(refused.value)
    assert await tiny.last_run() == before
    await answer(tiny, "staging")


async def test_nobody_pushes_without_a_token(tiny: Stage) -> None:
    remote = f"{tiny.api_url}/git/{tiny.app}.git"

    with pytest.raises(Failed, match=r"token|Authentication|could not read"):
        await tiny.git("-c", "credential.helper=", "push", remote, "main")


async def test_an_approver_who_is_no_owner_cannot_invite_people(tiny: Stage) -> None:
    async with tiny.api("ada") as api:
        with pytest.raises(errors.Denied, match="ada is an approver"):
            await api.add_person("eve", "owner")


async def test_production_takes_nothing_that_is_not_approved(tiny: Stage) -> None:
    live = await tiny.live("production")
    async with changed(tiny, TINY, lambda text: text + "\n# unapproved\n"):
        await tiny.deliver()
    async with tiny.api() as api:
        newest = (await api.releases(tiny.app, limit=1)).items[0]
        asked = await api.deploy(tiny.app, "production", newest.id)
        asked = [change async for change in api.follow_deployment(asked)][-1]

    assert asked.state == "failed"
    assert "0 of 1 approvals given" in asked.sentence
    await tiny.expect("production", live)


async def test_the_yes_of_an_author_does_not_count_where_another_can_give_it(tiny: Stage) -> None:
    live = await tiny.live("production")
    async with changed(tiny, TINY, lambda text: text + "\n# by the author\n"):
        await tiny.deliver()
    async with tiny.api() as api:
        newest = (await api.releases(tiny.app, limit=1)).items[0]
    reason = ("--reason", "I know it works")
    await tiny.shipway("approve", newest.version, "--app", tiny.app, *reason, person="dev")

    async with tiny.api() as api, asyncio.timeout(60):
        while not (judged := await gates_saying(api, newest, "does not count: an author")):  # noqa: ASYNC110 -- the API is asked; nobody tells
            await asyncio.sleep(0.1)
    assert not any(gate.open for gate in judged)
    await tiny.expect("production", live)
