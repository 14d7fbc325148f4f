"""The end-to-end tests of a release, in its run and long after it."""

from __future__ import annotations

import types
from typing import Any, cast

import pytest

from shipway import appfile
from shipway.builds.model import BuildStep, RunKind, State
from shipway.builds.records import Runs
from shipway.kit import db, settings
from shipway.kit.mask import Mask
from shipway.workflows import proving
from shipway.workflows.entering import Entry
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

PRODUCT = appfile.parse(
    """
name = "tiny"
[[install]]
name = "packages"
run = ["npm", "ci"]
[server]
kind = "python"
entry = "tiny.server:main"
[[tests.e2e]]
name = "journey"
run = ["npm", "test"]
[environments.staging]
domain = "staging.example.org"
"""
)


class Builder:
    """Takes notes."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def check_out(self, *_: Any) -> None:
        self.done.append("check out")

    async def perform(self, run: str, app: str, commit: str, step: BuildStep, mask: Mask) -> None:
        self.done.append(step.name)

    async def clean_up(self, *_: Any) -> None:
        self.done.append("clean up")


class Secrets:
    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(
    ("state", "done"),
    [
        (State.RUNNING, ["e2e journey"]),
        (State.SUCCEEDED, ["check out", "install packages", "e2e journey", "clean up"]),
    ],
)
async def test_a_release_that_is_deployed_again_is_tested_again(
    database: db.Database, tmp_path: Any, state: State, done: list[str]
) -> None:
    runs, builder = Runs(database), Builder()
    run = await runs.create("tiny", "main", "1" * 40, push=1, kind=RunKind.FULL, by="dev")
    await runs.set_state(run.id, state)
    (tmp_path / "ca.pem").write_text("")
    parts = types.SimpleNamespace(
        runs=runs,
        builder=builder,
        variables=Secrets(),
        settings=settings.load(),
        traffic=types.SimpleNamespace(ca_file=tmp_path / "ca.pem"),
    )
    entry = types.SimpleNamespace(
        app="tiny",
        environment="staging",
        product=PRODUCT,
        release=types.SimpleNamespace(run=run.id, commit=run.commit),
    )

    said = await proving.end_to_end(cast("Platform", parts), cast("Entry", entry))

    assert said == "The end-to-end tests passed against staging: journey."
    assert builder.done == done
