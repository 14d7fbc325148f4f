"""Whatever goes wrong on the way, the release before goes on serving, and a sentence says so."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from demo.stage import Failed, Stage

from shipway.kit import errors, http

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

TINY = "server/tiny/__init__.py"
SERVER = "server/tiny/server.py"
WORDS = "server/tests/words.py"
MIGRATION = "server/migrations/0001_notes.sql"
FILE = "shipway.toml"
FAILS_WHERE_DEPLOYED = """
alter table notes add column colour text;
do $$ begin
    if current_user = 'schema_owner' then raise 'there is a note in the way'; end if;
end $$;
"""
"""A migration that the app's tests cannot find out about."""


@contextlib.asynccontextmanager
async def changed(tiny: Stage, path: str, change: Callable[[str], str]) -> AsyncIterator[None]:
    """Commit a change for a while; what was pushed is taken back by another commit."""
    before = (tiny.checkout / path).read_text()
    await tiny.commit(path, change, f"Change {path}")
    try:
        yield
    finally:
        await tiny.commit(path, lambda _: before, f"Take back {path}")


async def answer(tiny: Stage, environment: str) -> dict[str, str]:
    found = await http.get(
        f"{tiny.url(environment)}/health", address=tiny.edge, ca_file=tiny.ca_file
    )
    assert found.status_code == 200
    told: dict[str, str] = found.json()
    return told


def only_deployed(text: str) -> str:
    """Make the app sick where it is deployed: its tests must pass for it to come so far."""
    deployed = '__import__("os").environ.get("SHIPWAY_ENVIRONMENT")'
    return text.replace('FAULT = ""', f'FAULT = "unready" if {deployed} else ""')


async def test_a_failing_test_stops_the_run(tiny: Stage) -> None:
    live = await tiny.live("staging")

    async with changed(tiny, WORDS, lambda text: text.replace("assertTrue", "assertFalse")):
        run = await tiny.push()

    assert run.state == "failed"
    assert "test unit failed" in run.sentence
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
    await tiny.shipway("approve", "--app", tiny.app, "--reason", "I know it works", person="dev")

    async with tiny.api() as api:
        newest = (await api.releases(tiny.app, limit=1)).items[0]
        gates = (await api.release(tiny.app, newest.id)).gates
    assert not next(gate for gate in gates if gate.name == "approved").open
    await tiny.expect("production", live)
