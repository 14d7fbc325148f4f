"""The command line as a process of its own, against the real API and its git remote."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest
from tests.fakes import platform
from tests.fakes.checkout import Checkout, eventually

from shipway.access.model import Role
from shipway.builds.model import State
from shipway.kit import command, db
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


class Person:
    """Somebody with a checkout and a configuration folder of their own."""

    def __init__(self, checkout: Checkout, config: pathlib.Path) -> None:
        self.checkout = checkout
        self._environment = {
            **command.base_environment(),
            "HOME": str(config),
            "XDG_CONFIG_HOME": str(config),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def command(self, *argv: str, stdin: str = "") -> command.Command:
        return command.Command(
            argv=argv,
            env=self._environment,
            cwd=self.checkout.folder,
            stdin=stdin.encode(),
        )

    async def types(self, *argv: str, stdin: str = "") -> tuple[int, str]:
        """Run `shipway` and return its exit code and all that is seen."""
        seen: list[str] = []
        shipway = (sys.executable, "-P", "-m", "shipway.cli.main")
        ended = await command.run(
            self.command(*shipway, *argv, stdin=stdin), on_line=seen.append, check=False
        )
        return ended.status, "\n".join(seen)

    async def reads(self, *argv: str) -> object:
        """Run a command that reads, and return the JSON that it prints."""
        status, seen = await self.types(*argv, "--json")
        assert status == 0, seen
        return json.loads(seen)


@pytest.fixture
async def live(database: db.Database, home: pathlib.Path) -> AsyncIterator[platform.Live]:
    async with platform.served(platform.parts(database, home)) as served:
        yield served


@pytest.fixture
async def ana(live: platform.Live, tmp_path: pathlib.Path) -> Person:
    """A developer who is logged in and stands in the checkout of an app that is not created."""
    folder, config = tmp_path / "checkout", tmp_path / "config"
    folder.mkdir()
    checkout = Checkout(folder, "https://nowhere.example", "")
    await checkout.init()
    ana = Person(checkout, config)
    token = await live.token("ana", Role.DEVELOPER)
    status, seen = await ana.types("login", live.url, "--token", "-", stdin=f"{token}\n")
    assert (status, seen.startswith("You are ana (developer)")) == (0, True), seen
    return ana


async def end_the_run(live: platform.Live, state: State, sentence: str) -> None:
    """Do what a worker would."""
    await eventually(live.remote.came)
    (run,) = await live.platform.runs.list("tiny")
    await live.platform.runs.set_state(run.id, State.RUNNING)
    await live.platform.runs.announce(run.id, ["test"])
    await live.platform.runs.start_step(run.id, "test")
    async with live.platform.logs.writing(run.id, "test", Mask()) as write:
        write("3 passed")
    await live.platform.runs.end_step(run.id, "test", State.SUCCEEDED, "Done.")
    await live.platform.runs.set_state(run.id, state, sentence)


async def test_an_app_is_created_deployed_and_looked_at(live: platform.Live, ana: Person) -> None:
    status, seen = await ana.types("app", "create")
    assert (status, f"{live.url}/git/tiny.git" in seen) == (0, True), seen

    (status, seen), _ = await asyncio.gather(
        ana.types("deploy"), end_the_run(live, State.SUCCEEDED, "v1 is ready.")
    )
    assert status == 0, seen
    assert seen.endswith("v1 is ready.")

    found = await ana.reads("runs")
    assert isinstance(found, dict)
    assert [run["state"] for run in found["items"]] == ["succeeded"]
    assert "test | 3 passed" in (await ana.types("logs", "-f"))[1]
    assert (await ana.types("logs", found["items"][0]["id"], "test"))[1].endswith("3 passed")
    status, seen = await ana.types("deploy")
    assert (status, seen.endswith("v1 is ready.")) == (0, True), "a second push changes nothing"


async def test_a_failed_run_is_the_exit_code_of_its_push(live: platform.Live, ana: Person) -> None:
    await ana.types("app", "create")
    (status, seen), _ = await asyncio.gather(
        ana.types("deploy"), end_the_run(live, State.FAILED, "test failed.")
    )
    assert (status, "test failed." in seen) == (8, True), seen


async def test_git_alone_finds_its_token(live: platform.Live, ana: Person) -> None:
    await ana.types("app", "create")
    push = ("push", "shipway", "HEAD:refs/heads/try")
    ended, _ = await asyncio.gather(
        command.run(ana.command("git", *push)), end_the_run(live, State.SUCCEEDED, "Passed.")
    )
    assert "Passed." in "\n".join(ended.last_lines)


async def test_a_push_that_is_refused_says_why(live: platform.Live, ana: Person) -> None:
    await ana.types("app", "create")
    await ana.checkout.commit("Break it", {"shipway.toml": 'name = "tiny"\nnonsense = 1\n'})
    status, seen = await ana.types("deploy")
    assert (status, "nonsense" in seen) == (3, True), seen


async def test_variables_are_set_shown_and_compared(live: platform.Live, ana: Person) -> None:
    await ana.types("app", "create")
    secret = ("env", "set", "staging", "API_KEY", "--secret")
    assert (await ana.types(*secret, stdin="very-secret\n"))[0] == 0
    await ana.types("env", "set", "staging", "LOG_LEVEL", "debug", "--plain")
    status, seen = await ana.types("env", "show", "staging")
    assert status == 0, seen
    assert "debug" in seen
    assert "very-secret" not in seen
    assert "LOG_LEVEL" in (await ana.types("env", "diff", "staging", "development"))[1]
    assert (await ana.types("env", "unset", "staging", "LOG_LEVEL", "--yes"))[0] == 0


async def test_what_may_not_be_is_said_with_its_exit_code(ana: Person) -> None:
    status, seen = await ana.types("people", "add", "eve", "--role", "owner")
    assert (status, "owner" in seen) == (4, True), seen
    assert (await ana.types("app", "remove", "nothing", "--yes"))[0] == 4
    assert (await ana.types("runs", "--app", "nothing"))[0] == 5
    assert (await ana.types("runs", "--nonsense"))[0] == 2
