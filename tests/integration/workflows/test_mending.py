"""An instance is lost and cannot be brought back: somebody is told, once."""

from __future__ import annotations

import types
from typing import cast

import pytest

from shipway.health.outbox import Outbox
from shipway.kit import clock, db, errors
from shipway.releases.records import Deployments, Releases
from shipway.runtime.model import Address, Ailment, Finding, Instance, Place
from shipway.workflows import starting
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio

PRODUCT = """
name = "tiny"
[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"
[environments.production]
domain = "tiny.example.org"
"""


class Variables:
    """A variable was taken away from what is live."""

    why: errors.ShipwayError = errors.Refused("production of tiny needs STRIPE_KEY")

    async def server_environment(self, *_: object) -> dict[str, str]:
        raise self.why

    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return ("secret-value",)


class Instances:
    """One of the live release is gone."""

    def __init__(self, deployment: str, release: str) -> None:
        where = {"app": "tiny", "environment": "production", "release": release}
        place = Place(**where, deployment=deployment, index=0)
        gone = Instance(id="ins_1", place=place, service="server.1", address=Address("::1", 1))
        self._found = Finding(instance=gone, ailment=Ailment.GONE, sentence="Number 1 is gone.")

    async def reconcile(self) -> tuple[Finding, ...]:
        return (self._found,)


@pytest.fixture
async def platform(database: db.Database) -> Platform:
    release = await Releases(database).add(
        app="tiny", run="run_1", commit="1" * 40, schema_head="", artifacts={}, product=PRODUCT,
        changelog="", authors=(),
    )  # fmt: skip
    deployments = Deployments(database)
    asked = await deployments.ask(
        id="dep_1", release=release, environment="production", kind="deploy", by="dev", reason="",
        plan=(1000,),
    )  # fmt: skip
    await deployments.begin(asked.id, served_by=asked.id, before=None)
    asked = await deployments.get(asked.id)
    await deployments.become_live(asked, sentence="It is live.", warm_until=clock.now())
    parts = types.SimpleNamespace(
        releases=Releases(database),
        deployments=deployments,
        instances=Instances(asked.id, release.id),
        variables=Variables(),
        outbox=Outbox(database),
        settings=types.SimpleNamespace(https_port=443),
    )
    return cast("Platform", parts)


async def test_an_instance_that_cannot_be_brought_back_is_told_once(
    platform: Platform, database: db.Database
) -> None:
    for _ in range(2):
        await starting.mend(platform)

    (told,) = await database.rows("select event, app, subject, sentence from health.outbox")
    assert (told["event"], told["app"], told["subject"]) == ("instance.not_mended", "tiny", "ins_1")
    assert told["sentence"] == (
        "Number 1 is gone. It cannot be brought back: production of tiny needs STRIPE_KEY"
    )


async def test_a_part_that_does_not_answer_is_waited_for(
    platform: Platform, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Variables, "why", errors.Unavailable("The steward went away."))

    await starting.mend(platform)

    assert await database.rows("select * from health.outbox") == []
