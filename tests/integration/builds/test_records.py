"""Pushes, runs, steps and kept results."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest

from shipway.builds import kept
from shipway.builds.model import RunKind, State
from shipway.builds.records import CHANNEL, Look, Pushes, Runs
from shipway.kit import db, errors

pytestmark = pytest.mark.anyio

A, B = "a" * 40, "b" * 40


def refs(now: dict[str, str]) -> Look:
    async def look() -> dict[str, str]:
        return now

    return look


async def test_a_push_is_what_has_changed_since_the_last_one(database: db.Database) -> None:
    pushes = Pushes(database)
    (first,) = await pushes.arrived("notes", refs({"main": A}), by="ada")
    assert (first.number, first.branch, first.before, first.commit) == (1, "main", "", A)
    assert await pushes.arrived("notes", refs({"main": A}), by="ada") == ()
    both = await pushes.arrived("notes", refs({"main": B, "x": A}), by="ben")
    assert [(p.number, p.branch, p.before) for p in both] == [(2, "main", A), (3, "x", "")]
    (gone,) = await pushes.arrived("notes", refs({"main": B}), by="ben")
    assert (gone.branch, gone.before, gone.commit) == ("x", A, "")
    assert await pushes.get("notes", 1) == first


async def test_a_push_reported_twice_at_once_is_recorded_once(database: db.Database) -> None:
    pushes = Pushes(database)
    found = await asyncio.gather(
        *(pushes.arrived("notes", refs({"main": A}), by="ada") for _ in range(5))
    )
    assert sum(map(len, found)) == 1


async def test_refs_are_read_when_it_is_ones_turn(database: db.Database) -> None:
    """Refs that were read earlier, and recorded later, would take a newer push back."""
    pushes, looked = Pushes(database), list[str]()
    begun, go = asyncio.Event(), asyncio.Event()

    async def slowly() -> dict[str, str]:
        looked.append("first")
        begun.set()
        await go.wait()
        return {"main": A}

    async def quickly() -> dict[str, str]:
        looked.append("second")
        return {"main": B}

    first = asyncio.create_task(pushes.arrived("notes", slowly, by="ada"))
    await begun.wait()
    second = asyncio.create_task(pushes.arrived("notes", quickly, by="ben"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert looked == ["first"]
    go.set()
    found = [push for pushed in await asyncio.gather(first, second) for push in pushed]
    assert [(push.before, push.commit) for push in found] == [("", A), (A, B)]


async def run(runs: Runs, push: int = 1) -> str:
    made = await runs.create("notes", "main", A, push=push, kind=RunKind.FULL, by="ada")
    return made.id


async def test_a_push_starts_one_run(database: db.Database) -> None:
    runs = Runs(database)
    assert await run(runs) == await run(runs)
    made = await runs.get(await run(runs))
    assert (made.state, made.kind, made.is_trusted) == (State.WAITING, RunKind.FULL, True)
    with pytest.raises(errors.NotFound, match="run_x"):
        await runs.get("run_x")


async def test_runs_are_listed_newest_first_by_pages(database: db.Database) -> None:
    runs = Runs(database)
    made = [await run(runs, push) for push in range(1, 6)]
    page = await runs.list("notes", limit=2)
    following = await runs.list("notes", limit=9, before=page[-1].id)
    assert {r.id for r in (*page, *following)} == set(made)
    assert [r.id for r in (*page, *following)] == sorted(made, reverse=True)


async def test_a_run_that_has_ended_stays_as_it_is(database: db.Database) -> None:
    runs = Runs(database)
    made = await run(runs)
    assert await runs.set_state(made, State.RUNNING)
    assert await runs.set_state(made, State.FAILED, "It failed.")
    assert not await runs.set_state(made, State.SUCCEEDED, "It went well.")
    ended = await runs.get(made)
    assert (ended.state, ended.sentence) == (State.FAILED, "It failed.")
    assert ended.started
    assert ended.ended


async def test_the_end_of_a_run_closes_its_steps(database: db.Database) -> None:
    runs = Runs(database)
    made = await run(runs)
    await runs.announce(made, ["install", "test", "server"])
    await runs.start_step(made, "install", key="k")
    await runs.end_step(made, "install", State.SUCCEEDED, "Good.", facts={"a": "b"})
    await runs.start_step(made, "test")
    await runs.set_state(made, State.CANCELLED, "Stop.")
    steps = await runs.steps(made)
    assert [(s.name, s.state) for s in steps] == [
        ("install", State.SUCCEEDED),
        ("test", State.CANCELLED),
        ("server", State.CANCELLED),
    ]
    assert steps[0].facts == {"a": "b"}
    assert await runs.key_of(made, "install") == "k"
    assert await runs.key_of(made, "nothing") == ""


async def test_each_layer_of_steps_comes_after_the_one_before(database: db.Database) -> None:
    runs = Runs(database)
    made = await run(runs)

    async def layers() -> dict[str, int]:
        rows = await database.rows(
            "select name, layer from builds.steps where run = %(run)s", run=made
        )
        return {row["name"]: row["layer"] for row in rows}

    await runs.announce(made, ["install"], ["test", "server"])
    await runs.announce(made, ["deploy staging"])
    expected = {"install": 0, "test": 1, "server": 1, "deploy staging": 2}
    assert await layers() == expected
    await runs.announce(made, ["install"], ["test", "server"])
    await runs.announce(made, ["deploy staging"])
    assert await layers() == expected, "a step that runs again announces the same"


async def test_those_who_follow_a_run_are_told(database: db.Database) -> None:
    runs = Runs(database)
    made = await run(runs)
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as follower:
        await follower.execute(f"listen {CHANNEL}".encode())
        await runs.set_state(made, State.RUNNING)
        async with contextlib.aclosing(follower.notifies(timeout=10, stop_after=1)) as told:
            assert [notice.payload async for notice in told] == [made]


def result(key: str = "k", *, trusted: bool = True, name: str = "run_1") -> kept.Result:
    return kept.Result(app="notes", key=key, trusted=trusted, step="server", run=name)


async def test_a_branch_never_answers_a_run_of_main(database: db.Database) -> None:
    results = kept.Results(database)
    await results.keep(result(trusted=False, name="run_branch"))
    assert await results.find("notes", "k", trusted=True) is None
    found = await results.find("notes", "k", trusted=False)
    assert found
    assert found.run == "run_branch"
    await results.keep(result(name="run_main"))
    for trusted in (True, False):
        found = await results.find("notes", "k", trusted=trusted)
        assert found
        assert found.run == "run_main"
    assert await results.find("other", "k", trusted=True) is None


async def test_replaced_installs_are_given_up_when_nobody_uses_them(database: db.Database) -> None:
    results = kept.Results(database)
    for number in range(6):
        made = result(f"k{number}")
        await results.keep(kept.Result(**{**made.__dict__, "folder": f"installs/{number}"}))
    assert await results.give_up_stale("notes") == ()
    await database.run("update builds.results set used = used - interval '2 hours'")
    given_up = await results.give_up_stale("notes")
    assert set(given_up) == {"installs/0", "installs/1", "installs/2"}
    assert await results.find("notes", "k0", trusted=True) is None
    assert await results.find("notes", "k5", trusted=True)


async def test_the_last_run_of_each_app_is_found_at_once(database: db.Database) -> None:
    runs = Runs(database)
    made = [await run(runs, push) for push in (1, 2)]
    other = await runs.create("other", "main", A, push=1, kind=RunKind.FULL, by="ada")

    found = await runs.last(["notes", "other", "none"])

    assert {app: one.id for app, one in found.items()} == {"notes": max(made), "other": other.id}
