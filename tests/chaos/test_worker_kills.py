"""`kill -9` of the worker inside every step of every workflow: each ends as it would have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import pwd
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

import psycopg
import pytest
from demo.load import Load
from demo.stage import Stage

from shipway import wiring
from shipway.kit import durable, settings
from shipway.runtime.model import Kind, Owner
from shipway.workflows.delivering import Delivering
from shipway.workflows.deploying import Deploying
from shipway.workflows.promoting import Promoting

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1500), pytest.mark.xdist_group("kills")]

TINY = pathlib.Path(__file__).parent.parent / "apps" / "tiny"
KILLED = pathlib.Path(__file__).parent / "killed_worker.py"
MOMENTS = os.environ.get("SHIPWAY_KILL_AT", "inside").split()
"""`./dev soak` kills at all four: before, inside, done, recorded."""

UNHAPPY = {"fail", "cancel", "withdraw", "give_up", "has_expired", "expire", "start_over"}
STEPS = {
    f"{kind}.{step}"
    for kind, told in (("deliver", Delivering), ("enter", Deploying), ("promote", Promoting))
    for step in durable.steps_of(told) - UNHAPPY
}
"""Every step that a delivery, two deployments, a promotion and a rollback take."""


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-chaos-", dir="/var/tmp"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


class Mortal:
    """The worker in the hands of the test: started again each time it has died."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.graves = stage.home / "kills"
        # A copy that the worker's user can read, wherever this checkout is.
        self._killed = shutil.copy(KILLED, stage.home)
        self._process: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def reborn(self) -> AsyncIterator[None]:
        found = settings.load(home=self._stage.shipway_home)
        await wiring.keeper(found).drop("worker")
        self.graves.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.graves, self._user)
        with (self._stage.home / "worker.log").open("wb") as log:
            life = asyncio.create_task(self._live(log))
            try:
                yield
            finally:
                life.cancel()
                await asyncio.gather(life, return_exceptions=True)

    @property
    def _user(self) -> str:
        return Owner(Kind.WORKER).user(str(self._stage.shipway_home))

    async def _live(self, log: BinaryIO) -> None:
        while True:
            self._process = await asyncio.create_subprocess_exec(
                *self._becoming(), sys.executable, "-P", str(self._killed), str(self.graves), *MOMENTS,
                env=self._stage.environment("dev") | {"HOME": "/nonexistent"},
                cwd="/", stdout=log, stderr=log,
            )  # fmt: skip
            try:
                await self._process.wait()
            except asyncio.CancelledError:
                self._process.terminate()
                await self._process.wait()
                raise

    def _becoming(self) -> tuple[str, ...]:
        if os.geteuid() != 0:
            return ()
        user = pwd.getpwnam(self._user)
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}")
        return ("setpriv", *ids, "--init-groups", "--no-new-privs")

    def kills(self) -> Counter[str]:
        """How often each step of each kind of workflow was killed."""
        kinds = {"run_": "deliver", "promote-": "promote"}
        found: Counter[str] = Counter()
        for grave in self.graves.iterdir():
            workflow, step, _ = grave.name.rsplit(".", 2)
            kind = next((k for start, k in kinds.items() if workflow.startswith(start)), "enter")
            found[f"{kind}.{step.split('-')[0]}"] += 1
        return found


async def test_every_step_survives_the_death_of_the_worker(folder: pathlib.Path) -> None:
    stage = Stage.fresh(folder, TINY, quiet=True)
    mortal = Mortal(stage)
    try:
        await stage.set_up()
        await stage.create_app()
        await stage.deliver()
        await stage.invite_approver()
        await stage.promote()
        async with (
            Load(stage.url("production"), stage.edge, stage.ca_file, path="/") as users,
            mortal.reborn(),
        ):
            await stage.commit("server/tiny/__init__.py", lambda text: text + "\n# 2\n", "Second")
            await stage.deliver()
            await stage.promote()
            await stage.roll_back()
            await users.see_any(times=20)
        figures = users.figures()
        await stage.expect("production", "v1")
        await stage.expect("staging", "v2")
        await nothing_happened_twice(stage)
        kills = mortal.kills()
    except BaseException:
        stage.show_logs()
        print((folder / "worker.log").read_text(errors="replace")[-6000:], file=sys.stderr)
        raise
    finally:
        await stage.end()

    print(f"{kills.total()} kills: {dict(kills)}")
    assert figures["failures"] == []
    assert set(kills) == STEPS


async def nothing_happened_twice(stage: Stage) -> None:
    """Look at everything that would be there twice if a step had acted twice."""
    tags = (await stage.git("ls-remote", "--tags", "--refs", "shipway")).splitlines()
    assert sorted(line.rpartition("/")[2] for line in tags if "refs/tags" in line) == ["v1", "v2"]
    found = settings.load(home=stage.shipway_home)
    connected = await psycopg.AsyncConnection.connect(found.database_url)
    async with connected as connection:

        async def counted(sql: str) -> list[tuple[object, ...]]:
            return await (await connection.execute(sql.encode())).fetchall()

        assert await counted("select version from releases.releases order by 1") == [
            ("v1",),
            ("v2",),
        ]
        assert await counted(
            "select environment, kind, count(*) from releases.deployments group by 1, 2 order by 1, 2"
        ) == [("production", "deploy", 2), ("production", "rollback", 1), ("staging", "deploy", 2)]
        twice = "select deployment from database.migrations where ended is not null"
        assert not await counted(f"{twice} group by 1 having count(*) > 1")
        assert not await counted("select key from releases.events group by 1 having count(*) > 1")
    observed = await wiring.keeper(found).services("server.")
    # v1 and v2 in production with two instances each, staging with one live and one warm.
    assert len(observed) == 6
    assert all(one.up for one in observed)
