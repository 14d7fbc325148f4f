"""The first step of a run, as people see it."""

from __future__ import annotations

import pathlib
import types
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

import pytest

from shipway.builds.logs import Logs
from shipway.builds.model import RunKind, State
from shipway.builds.records import CHANNEL, Runs
from shipway.kit import db, errors
from shipway.releases.records import Releases
from shipway.workflows.delivering import CHECK_OUT, Delivering
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

COMMIT = "1" * 40
FILE = """
name = "tiny"
[server]
kind = "node"
entry = "main.ts"
"""


class Sources:
    def __init__(self) -> None:
        self.text: str | None = FILE

    async def file_at(self, app: str, commit: str, path: str) -> str | None:
        return self.text


class Builder:
    """Takes a note of what the log says when the sources are to be laid out."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self.read: Sequence[str] = ()

    async def check_out(self, run: str, app: str, commit: str) -> None:
        self.read = self._logs.read(run, CHECK_OUT).lines


class Secrets:
    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return ()


@pytest.fixture
def platform(database: db.Database, tmp_path: pathlib.Path) -> Any:
    runs = Runs(database)
    logs = Logs(tmp_path, runs.notify)
    return types.SimpleNamespace(
        runs=runs,
        logs=logs,
        sources=Sources(),
        builder=Builder(logs),
        variables=Secrets(),
        releases=Releases(database),
    )


async def recorded(platform: Any) -> str:
    made = await platform.runs.create("tiny", "topic", COMMIT, push=1, kind=RunKind.FAST, by="ada")
    return str(made.id)


async def test_a_run_says_what_it_has_taken_before_it_does_anything(platform: Any) -> None:
    run = await recorded(platform)

    await Delivering(cast("Platform", platform)).check_out(run)

    (first,) = platform.builder.read
    assert first.endswith(" 111111111111 of topic is taken, and checked out.")
    shown, *planned = await platform.runs.steps(run)
    assert (shown.name, shown.state) == (CHECK_OUT, State.SUCCEEDED)
    assert [(step.name, step.state) for step in planned] == [("server", State.WAITING)]


async def test_a_commit_that_cannot_be_built_fails_where_it_is_checked_out(platform: Any) -> None:
    run = await recorded(platform)
    platform.sources.text = None

    with pytest.raises(errors.Invalid):
        await Delivering(cast("Platform", platform)).check_out(run)

    (shown,) = await platform.runs.steps(run)
    assert (shown.state, shown.sentence) == (State.FAILED, "111111111111 has no shipway.toml.")
    assert platform.logs.read(run, CHECK_OUT).lines[-1].endswith(shown.sentence)


async def test_who_looks_on_is_told_of_a_run_when_it_is_recorded(
    platform: Any, database: db.Database
) -> None:
    told = cast("AsyncGenerator[tuple[str, str], None]", database.listen(CHANNEL))
    assert await anext(told) == ("", "")
    run = await recorded(platform)
    assert await anext(told) == (CHANNEL, run)
    await told.aclose()
