"""The promises of `kit.durable`, with DBOS and a worker that is really killed."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio

PROGRAM = pathlib.Path(__file__).parent / "durable_program.py"
DEADLY = pathlib.Path(__file__).parent / "deadly_program.py"
MADE = [{"name": "a", "sizes": [1, 2]}, {"name": "b", "sizes": [1, 2]}]
HEARD = [
    *MADE,
    ["It is late", "it is dark", "Wait until morning."],
    "stumble broke: ZeroDivisionError('a bug').",
    {"said": "hello"},
    "broken the-broken ended without a result: The edge does not answer.",
    {"yes": True},
    None,
]
"""What the workflow of the program hears, whether or not it was killed on the way."""


async def life(url: str, log: pathlib.Path, step: str = "-", moment: str = "-") -> command.Outcome:
    """Run the program until it ends or dies."""
    argv = (sys.executable, str(PROGRAM), url, str(log), step, moment)
    environment = command.base_environment()
    return await command.run(command.Command(argv=argv, env=environment, timeout=90), check=False)


def heard(ended: command.Outcome) -> object:
    """Return what the program printed last; its log comes before."""
    assert ended.status == 0, ended.last_lines
    return json.loads(ended.output.splitlines()[-1])["heard"]


async def test_a_workflow_hears_what_its_steps_return_and_raise(
    database_url: str, tmp_path: pathlib.Path
) -> None:
    ended = await life(database_url, tmp_path / "log")

    assert heard(ended) == HEARD, ended.last_lines
    assert sorted((tmp_path / "log").read_text().split("\n")) == [
        "", "make a", "make b", "refuse", "stumble",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "times"), [("before", 1), ("inside", 2), ("done", 2), ("recorded", 1)]
)
async def test_a_killed_worker_is_resumed_and_hears_the_same(
    database_url: str, tmp_path: pathlib.Path, moment: str, times: int
) -> None:
    """A body whose end was not recorded runs again; one that was recorded never does."""
    log = tmp_path / "log"

    died = await life(database_url, log, "refuse", moment)
    ended = await life(database_url, log)

    assert died.status == -9
    assert heard(ended) == HEARD, ended.last_lines
    assert log.read_text().split("\n").count("refuse") == times


async def test_a_workflow_that_kills_the_worker_is_given_up_and_told_of(database_url: str) -> None:
    words = command.Command(
        argv=(sys.executable, str(DEADLY), database_url),
        env=command.base_environment(),
        timeout=90,
    )
    lives = [await command.run(words, check=False) for _ in range(3)]

    assert [life.status for life in lives] == [-9, -9, 0], lives[-1].last_lines
    (told,) = json.loads(lives[-1].output.splitlines()[-1])
    assert (told["workflow"], told["id"], told["request"]) == ("deadly", "the-deadly", {"of": 1})
