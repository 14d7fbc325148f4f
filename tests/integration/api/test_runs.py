from __future__ import annotations

import asyncio

import pytest
from tests.fakes.platform import Live

from shipway.builds.model import Run, RunKind, State
from shipway.client import wire
from shipway.client.client import Client
from shipway.kit import errors
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


async def a_run(live: Live, *, number: int = 1) -> Run:
    if number == 1:
        await live.platform.apps.create("tiny", "olga")
    return await live.platform.runs.create(
        "tiny", "main", f"{number}" * 40, push=number, kind=RunKind.FULL, by="ana"
    )


async def work(live: Live, run: str) -> None:
    """What a worker does, with a moment between."""
    runs, logs = live.platform.runs, live.platform.logs
    await runs.set_state(run, State.RUNNING)
    await runs.announce(run, ["install", "test"])
    for step in ("install", "test"):
        await runs.start_step(run, step)
        async with logs.writing(run, step, Mask()) as write:
            for number in range(3):
                write(f"{step} {number}")
                await asyncio.sleep(0.05)
        await runs.end_step(run, step, State.SUCCEEDED, "Done.")
    await runs.set_state(run, State.SUCCEEDED, "v1 is ready.")


def shown(events: list[wire.Event]) -> list[str]:
    def one(event: wire.Event) -> str:
        if event.step:
            return f"{event.step.name} {event.step.state}"
        return f"run {event.run.state}" if event.run else event.line.partition(" ")[2]

    return [one(event) for event in events]


async def test_a_run_is_followed_to_its_end(live: Live, viewer: Client) -> None:
    run = await a_run(live)
    working = asyncio.ensure_future(work(live, run.id))
    async with asyncio.timeout(20):
        events = [event async for event in viewer.follow(run.id)]
    await working
    told = shown(events)
    assert told[-1] == "run succeeded"
    assert [line for line in told if line[-1].isdigit()] == [
        f"{step} {number}" for step in ("install", "test") for number in range(3)
    ]
    assert told.index("install succeeded") > told.index("install 2")
    assert events[-1].run
    assert events[-1].run.sentence == "v1 is ready."


async def test_a_run_that_is_over_is_told_whole(live: Live, viewer: Client) -> None:
    run = await a_run(live)
    await work(live, run.id)
    events = [event async for event in viewer.follow(run.id)]
    assert shown(events) == [
        "install 0", "install 1", "install 2", "install succeeded",
        "test 0", "test 1", "test 2", "test succeeded",
        "run succeeded",
    ]  # fmt: skip


async def test_a_stream_goes_on_behind_its_cursor(live: Live, viewer: Client) -> None:
    run = await a_run(live)
    runs = live.platform.runs
    await runs.set_state(run.id, State.RUNNING)
    await runs.announce(run.id, ["install"])
    cursor = ""
    async for event in viewer.follow(run.id):
        cursor = event.cursor or cursor
        if cursor:
            break
    await work(live, run.id)
    told = shown([event async for event in viewer.follow(run.id, after=cursor)])
    assert "install waiting" not in told
    assert "install 0" in told
    with pytest.raises(errors.Invalid, match="not a cursor"):
        _ = [event async for event in viewer.follow(run.id, after="nonsense")]


async def test_a_stream_is_taken_up_after_the_api_restarted(live: Live, viewer: Client) -> None:
    """The API stops in the middle: its streams end, and the client asks again."""
    run = await a_run(live)
    told: list[wire.Event] = []

    async def follow() -> None:
        told.extend([event async for event in viewer.follow(run.id)])

    following = asyncio.ensure_future(follow())
    await live.platform.runs.set_state(run.id, State.RUNNING)
    await asyncio.sleep(0.3)
    notices = live.server._application.state.notices
    notices.close()
    await asyncio.sleep(0.3)
    notices.closed = False
    await work(live, run.id)
    async with asyncio.timeout(20):
        await following
    assert shown(told)[-1] == "run succeeded"


async def test_logs_are_read_and_followed(live: Live, viewer: Client) -> None:
    run = await a_run(live)
    runs, logs = live.platform.runs, live.platform.logs
    await runs.start_step(run.id, "test api")
    async with logs.writing(run.id, "test api", Mask()) as write:
        write("first")
    lines = [line async for line in viewer.step_log(run.id, "test api")]
    assert [line.partition(" ")[2] for line in lines] == ["first"]
    followed = asyncio.ensure_future(gather(viewer, run.id))
    await asyncio.sleep(0.2)
    async with logs.writing(run.id, "test api", Mask()) as write:
        write("second")
    await runs.end_step(run.id, "test api", State.SUCCEEDED, "Done.")
    async with asyncio.timeout(20):
        assert await followed == ["first", "second"]


async def gather(client: Client, run: str) -> list[str]:
    found = client.step_log(run, "test api", follow=True)
    return [line.partition(" ")[2] async for line in found]


async def test_an_unknown_step_names_the_known(live: Live, viewer: Client) -> None:
    run = await a_run(live)
    await live.platform.runs.announce(run.id, ["test"])
    for name in ("no", "a b", "x" * 500):
        with pytest.raises(errors.NotFound, match="Its steps: test"):
            _ = [line async for line in viewer.step_log(run.id, name)]
    with pytest.raises(errors.NotFound, match="There is no run"):
        await viewer.run("run_0")


async def test_runs_come_in_pages(live: Live, viewer: Client) -> None:
    made = [await a_run(live, number=number) for number in (1, 2, 3)]
    first = await viewer.runs("tiny", limit=2)
    rest = await viewer.runs("tiny", limit=2, after=first.next)
    found = [run.id for run in (*first.items, *rest.items)]
    assert found == sorted((run.id for run in made), reverse=True)
    assert rest.next == ""
    with pytest.raises(errors.NotFound, match="There is no app"):
        await viewer.runs("nobody")


async def test_a_developer_cancels_and_a_viewer_does_not(
    live: Live, developer: Client, viewer: Client
) -> None:
    run = await a_run(live)
    with pytest.raises(errors.Denied, match="vera is a viewer and may not cancel a run"):
        await viewer.cancel(run.id)
    assert (await developer.cancel(run.id)).sentence == "Cancelled by ana."
    with pytest.raises(errors.Conflict, match="has ended already"):
        await developer.cancel(run.id)
