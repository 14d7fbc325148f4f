"""Who is not known, may not, or names what is not there: told so by every way in, and nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from demo.stage import Failed, Stage

from shipway.kit import errors, settings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

TAKEN_DOWN = {"warm": "retired"}
"""What is kept warm is taken down when its time is over, whoever asks for what meanwhile."""


@pytest.fixture
async def untouched(tiny: Stage) -> AsyncIterator[None]:
    """Nothing of the app has changed by the end of the test."""
    before = await seen(tiny)
    yield
    assert await seen(tiny) == before


async def seen(tiny: Stage) -> object:
    async with tiny.api() as api:
        runs = await api.runs(tiny.app, limit=3)
        deployments = [
            (one.id, one.sentence, TAKEN_DOWN.get(one.state, one.state))
            for name in ("staging", "production")
            for one in (await api.deployments(tiny.app, name, limit=3)).items
        ]
        refs = await tiny.git("ls-remote", "shipway")
        variables = (await api.environment(tiny.app, "staging")).variables
    return runs, deployments, refs, variables


async def refused_commands(tiny: Stage, person: str, app: str) -> list[str]:
    """Push, and deploy, roll back and set a variable by command: all are refused. Returns how."""
    said = []
    remote = f"{tiny.api_url}/git/{app}.git"
    with pytest.raises(Failed) as failed:
        await tiny.git("push", remote, "HEAD:refs/heads/theirs", person=person)
    said.append(str(failed.value))
    for words in (
        ("deploy", "--app", app, "--release", "v1", "--environment", "staging"),
        ("rollback", "staging", "--app", app),
        ("env", "set", "staging", "THEIRS", "1", "--plain", "--app", app),
    ):
        with pytest.raises(Failed) as failed:
            await tiny.shipway(*words, person=person)
        said.append(str(failed.value))
    return said


@pytest.mark.usefixtures("untouched")
async def test_who_may_not_is_told_so(tiny: Stage) -> None:
    await tiny.invite("vic", "viewer")

    async with tiny.api("vic") as api:
        with pytest.raises(errors.Denied, match="vic is a viewer"):
            await api.roll_back(tiny.app, "staging")
        with pytest.raises(errors.Denied, match="vic is a viewer"):
            await api.set_variable(tiny.app, "staging", "THEIRS", "1", kind="plain")
    pushed, *commands = await refused_commands(tiny, "vic", tiny.app)

    assert "remote: vic is a viewer and may not push. Ask a developer." in pushed
    assert all("ended with status 4" in said and "vic is a viewer" in said for said in commands)


@pytest.mark.usefixtures("untouched")
async def test_a_token_that_has_expired_opens_nothing(tiny: Stage) -> None:
    await tiny.invite("tilda", "owner")
    url = settings.load(home=tiny.shipway_home).database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("update access.tokens set expires = now() where person = 'tilda'")

    async with tiny.api("tilda") as api:
        with pytest.raises(errors.Denied, match="expired"):
            await api.apps()
        with pytest.raises(errors.Denied, match="expired"):
            await api.roll_back(tiny.app, "staging")
    pushed, *commands = await refused_commands(tiny, "tilda", tiny.app)

    assert "expired" in pushed
    assert all("ended with status 4" in said and "expired" in said for said in commands)


@pytest.mark.usefixtures("untouched")
async def test_an_app_that_is_not_there_is_said(tiny: Stage) -> None:
    async with tiny.api() as api:
        with pytest.raises(errors.NotFound, match="There is no app 'nowhere'"):
            await api.roll_back("nowhere", "staging")
    pushed, *commands = await refused_commands(tiny, "dev", "nowhere")

    assert "remote: There is no app 'nowhere'" in pushed
    assert all("status 5" in said and "There is no app 'nowhere'" in said for said in commands)
