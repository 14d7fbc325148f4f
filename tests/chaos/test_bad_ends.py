"""`kill -9` of the worker inside every step that ends what went wrong: it ends as it would have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from demo.stage import Stage
from tests.chaos import ended_worker, tally
from tests.stories.changing import TINY, WORDS, answer, changed

from shipway import wiring
from shipway.kit import durable, settings
from shipway.runtime.model import Kind, Owner
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploying import Deploying
from shipway.workflows.promoting import Promoting

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("tiny")]

MOMENTS = os.environ.get("SHIPWAY_KILL_AT", "inside").split()
"""`./dev soak` kills at all four: before, inside, done, recorded."""

BAD_ENDS = {
    f"{kind}.{step}"
    for kind, told in (("deliver", Delivering), ("deploy", Deploying), ("promote", Promoting))
    for step in durable.steps_of(told) & ended_worker.BAD_ENDS
}
PATIENCE_SECONDS = 300
UNREADY = 'FAULT = "unready" if __import__("os").environ.get("SHIPWAY_ENVIRONMENT") else ""'

# Other stories' apps are on record too, with versions of the same names.
NEWEST = "where id = (select max(id) from releases.releases where app = 'tiny')"
BREAK = f"update releases.releases set product = 'not = toml = at all' {NEWEST}"
MEND = """
update releases.releases set product =
    (select product from releases.releases where app = 'tiny' and version = 'v1')
where app = 'tiny' and product like 'not =%'
"""
AGE = "update releases.releases set created = now() - interval '{age}' " + NEWEST


class Mortal:
    """The worker in the hands of the test: started again each time it has died."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._found = settings.load(home=stage.shipway_home)
        self._folder = stage.home / "ends"
        self._plan = self._folder / "plan.json"

    @contextlib.asynccontextmanager
    async def reborn(self) -> AsyncIterator[None]:
        """Be the worker until the block ends; then the keeper's own is back."""
        self._folder.mkdir()
        self.plan()
        # A copy that the worker's user can read, wherever this checkout is.
        shutil.copy(ended_worker.__file__, self._folder)
        await wiring.keeper(self._found).drop("worker")
        life = asyncio.create_task(self._live())
        try:
            yield
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            shutil.rmtree(self._folder)
            # By command: the other parts stay as they are, which know more settings than we do.
            await self.stage.shipway("up")

    async def _live(self) -> None:
        program = str(self._folder / "ended_worker.py")
        while True:
            process = await asyncio.create_subprocess_exec(
                *self._becoming(), sys.executable, "-P", program, str(self._folder), *MOMENTS,
                env=self.stage.environment("dev") | {"HOME": "/nonexistent"}, cwd="/",
            )  # fmt: skip
            try:
                await process.wait()
            except asyncio.CancelledError:
                process.terminate()
                await process.wait()
                raise

    def _becoming(self) -> tuple[str, ...]:
        if os.geteuid() != 0:
            return ()
        user = pwd.getpwnam(Owner(Kind.WORKER).user(str(self.stage.shipway_home)))
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}")
        return ("setpriv", *ids, "--init-groups", "--no-new-privs")

    def plan(self, *spoiling: tuple[str, str, str]) -> None:
        """Say what is done to the record, and before which points: in this order."""
        self._plan.write_text(json.dumps(spoiling))
        if os.geteuid() == 0:
            user = Owner(Kind.WORKER).user(str(self.stage.shipway_home))
            for path in (self._folder, self._plan):
                shutil.chown(path, user)

    async def record(self, sql: str) -> list[tuple[object, ...]]:
        async with await psycopg.AsyncConnection.connect(self._found.database_url) as record:
            found = await record.execute(sql.encode())
            return await found.fetchall() if found.description else []

    async def until(self, sql: str) -> None:
        """Wait until the record has an answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.record(sql):  # noqa: ASYNC110 -- it may die, and would not tell
                await asyncio.sleep(0.1)

    async def told(self, what: str) -> None:
        """Wait until everybody was told this of the newest release."""
        ((version,),) = await self.record(f"select version from releases.releases {NEWEST}")
        await self.until(
            f"select 1 from health.outbox where app = 'tiny' and sentence like '{version} {what}%'"
        )

    def kills(self) -> Counter[str]:
        kinds = {"run_": "deliver", "dep_": "deploy", "promote-": "promote"}
        found: Counter[str] = Counter()
        for grave in self._folder.glob("*.*.*"):
            workflow, step, _ = grave.name.rsplit(".", 2)
            kind = next(kind for start, kind in kinds.items() if workflow.startswith(start))
            found[f"{kind}.{step}"] += 1
        return found


async def test_every_bad_end_survives_the_death_of_the_worker(tiny: Stage) -> None:
    before = [await tiny.live(name) for name in ("staging", "production")]
    mortal = Mortal(tiny)
    ((began,),) = await mortal.record("select now()")

    async with mortal.reborn():
        await a_test_fails(tiny)
        await a_run_is_cancelled(tiny)
        await a_server_never_becomes_ready(tiny)
        await a_deployment_cannot_be_taken_back(tiny, mortal)
        assert [await tiny.live(name) for name in ("staging", "production")] == before
        await a_promotion_fails(tiny, mortal)
        await a_promotion_expires(tiny, mortal)
        kills = mortal.kills()

    told = (
        f"select sentence from health.outbox where app = 'tiny' and at > '{began}'"
        " group by 1 having count(*) > 1"
    )
    twice = [str(sentence) for (sentence,) in await mortal.record(told)]
    tally.kills("bad ends", kills, twice)
    assert twice == []
    assert set(kills) == BAD_ENDS
    for environment in ("staging", "production"):
        await answer(tiny, environment)
    assert await tiny.live("production") == before[1]
    assert not await mortal.record("select id from releases.deployments where state = 'running'")
    # Nothing that was taken back runs on. Whose warm time is over may be on its way out.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await only_known_run(tiny, mortal):  # noqa: ASYNC110 -- a process ends unheard
            await asyncio.sleep(0.1)


async def only_known_run(tiny: Stage, mortal: Mortal) -> bool:
    """Whether those instances run which serve or stay warm, and no others."""
    observed = await wiring.keeper(settings.load(home=tiny.shipway_home)).services("server.")
    # What a rollback brought back is served by the instances of an earlier deployment.
    known = await mortal.record(
        "select distinct service from runtime.instances i join releases.deployments d"
        " on d.served_by = i.deployment where d.state in ('live', 'warm', 'rolled_back')"
    )
    return {one.name for one in observed} == {name for (name,) in known}


async def a_test_fails(tiny: Stage) -> None:
    async with changed(tiny, WORDS, lambda text: text.replace("assertTrue", "assertFalse")):
        run = await tiny.push()
    assert run.state == "failed"
    assert "test unit failed" in run.sentence


async def a_run_is_cancelled(tiny: Stage) -> None:
    async with changed(tiny, WORDS, lambda text: f"import time\ntime.sleep(50)\n{text}"):
        pushing = asyncio.create_task(tiny.push())
        async with tiny.api() as api, asyncio.timeout(PATIENCE_SECONDS):
            commit = (await tiny.git("rev-parse", "HEAD")).strip()
            while True:
                newest = await api.run((await tiny.last_run()).id)
                states = {step.name: step.state for step in newest.steps}
                if newest.commit == commit and states.get("test unit") == "running":
                    break
                await asyncio.sleep(0.1)
            await api.cancel(newest.id)
        run = await pushing
    assert run.state == "cancelled"
    assert run.sentence.startswith("Cancelled by")


async def a_server_never_becomes_ready(tiny: Stage) -> None:
    live = await tiny.live("staging")
    async with changed(tiny, TINY, lambda text: text.replace('FAULT = ""', UNREADY)):
        run = await tiny.push()
    assert run.state == "failed"
    assert f"staging keeps {live}" in run.sentence


async def a_deployment_cannot_be_taken_back(tiny: Stage, mortal: Mortal) -> None:
    """What was recorded of its release cannot be read any more."""
    mortal.plan(("admit", "before", BREAK))
    async with changed(tiny, TINY, another("unreadable")):
        run = await tiny.push()
    await mortal.record(MEND)
    assert run.state == "failed"
    assert "was neither deployed nor taken back: look at what serves." in run.sentence


async def a_promotion_fails(tiny: Stage, mortal: Mortal) -> None:
    mortal.plan(("count_approvals", "before", BREAK))
    async with changed(tiny, TINY, another("not promoted")):
        assert (await tiny.push()).state == "succeeded"
    await mortal.told("was not promoted to production")
    await mortal.record(MEND)
    # It would wait for ever, and be in the way of other stories.
    await mortal.record(f"update releases.releases set state = 'refused' {NEWEST}")


async def a_promotion_expires(tiny: Stage, mortal: Mortal) -> None:
    """The author's own yes has it look again when that would count: by then a month has passed."""
    async with changed(tiny, TINY, another("expired")):
        assert (await tiny.push()).state == "succeeded"
    newest = f"(select max(id) from releases.releases {NEWEST})"
    await mortal.until(
        f"select 1 from releases.gates where name = 'approved' and release = {newest}"
    )
    mortal.plan(
        ("count_approvals", "before", AGE.format(age="59 minutes 55 seconds")),
        ("count_approvals", "recorded", AGE.format(age="31 days")),
    )
    async with tiny.api() as api:
        version = (await api.releases(tiny.app, limit=1)).items[0].version  # others wait as well
    reason = ("--reason", "I know it works")
    await tiny.shipway("approve", version, "--app", tiny.app, *reason, person="dev")
    await mortal.told("waited 30 days for approval in production")


def another(word: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n# {word}\n"
