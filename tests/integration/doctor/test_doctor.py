"""The doctor at a real Shipway: well, made ill in many ways at once, and mended."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import pathlib
import pwd
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator

import psycopg
import pytest
from demo.stage import Stage

from shipway.doctor import examining, findings, mending
from shipway.doctor.findings import Report, Weight
from shipway.edge import ca
from shipway.kit import clock, command, settings
from shipway.runtime.drivers.socket import SocketKeeper
from shipway.runtime.model import Kind, Owner

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

TINY = pathlib.Path(__file__).parents[2] / "apps" / "tiny"
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
async def stage(anyio_backend: str) -> AsyncIterator[Stage]:
    """A whole Shipway without any app; its tools are installed by `up`."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-doctor-", dir="/var/tmp"))
    made = Stage.fresh(home, TINY, quiet=True)
    try:
        await made.set_up()
        yield made
    except BaseException:
        made.show_logs()
        raise
    finally:
        await made.end()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("SHIPWAY_HOME", str(stage.shipway_home))
    return settings.load()


def sentences(report: Report, weight: Weight) -> str:
    return "\n".join(f"{one.part}: {one.sentence}" for one in report.only(weight))


async def settled(found: settings.Settings) -> Report:
    """Examine until nothing is wrong: the edge comes up some seconds after the rest."""
    report = await examining.examine(found)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while report.wrong:
                await asyncio.sleep(0.5)
                report = await examining.examine(found)
    return report


async def test_nothing_is_wrong_with_a_fresh_one(found: settings.Settings) -> None:
    report = await settled(found)
    assert sentences(report, Weight.WRONG) == ""
    fine = {one.part for one in report.only(Weight.FINE)}
    expected = {"programs", "permissions", "services", "ports", "certificates", "vault", "database"}
    assert fine >= expected
    assert "builds" in {one.part for one in report.findings}
    assert ("users" in {one.part for one in report.only(Weight.GIVEN_UP)}) != IS_ROOT


async def test_as_a_command_it_tells_programs_and_leaves_with_0(found: settings.Settings) -> None:
    await settled(found)
    status, seen = await typed(found, "doctor", "--json")
    assert status == 0, seen
    assert {one["part"] for one in json.loads(seen)["findings"]} >= {"clock", "disk", "runs"}


async def typed(found: settings.Settings, *argv: str) -> tuple[int, str]:
    ended = await command.run(
        command.Command(
            argv=(sys.executable, "-P", "-m", "shipway.cli.main", *argv),
            env={**command.base_environment(), "SHIPWAY_HOME": str(found.home)},
        ),
        check=False,
    )
    return ended.status, ended.output or "\n".join(ended.last_lines)


def old(path: pathlib.Path) -> pathlib.Path:
    path.mkdir(parents=True)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


async def write_records(url: str) -> None:
    """Leave a run whose workflow is gone, one of another version, and an unknown migration."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for run in ("run_lost", "run_older"):
            await connection.execute(
                "insert into builds.runs (id, app, branch, commit, push, kind, state, pushed_by,"
                " created, started) values (%s, 'tiny', 'main', %s, 1, 'full', 'running', 'ana',"
                " now() - interval '1 day', now() - interval '1 day')",
                [run, run],
            )
        await connection.execute(
            "insert into dbos.workflow_status"
            " (workflow_uuid, status, name, application_version, priority)"
            " values ('run_older', 'PENDING', 'deliver', 'older', 100)"
        )
        await connection.execute(
            "insert into kit.migrations (name, checksum) values ('0000_foreign', 'x')"
        )


async def erase_records(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("delete from kit.migrations where name = '0000_foreign'")
        await connection.execute("delete from dbos.workflow_status where name = 'deliver'")
        await connection.execute("delete from builds.runs")


async def test_each_illness_is_told_and_fix_mends_what_is_safe(found: settings.Settings) -> None:
    await settled(found)
    home = found.home.resolve()
    keeper = SocketKeeper(found.run / "steward.sock")
    (home / "secrets").chmod(0o755)
    workspace = old(home / "owners" / "build.gone" / "runs" / "run_dead")
    data = old(home / "owners" / "cluster.gone.staging" / "data")
    draft = old(home / "tools.old")
    a_year_ago = clock.now() - datetime.timedelta(days=400)
    past = ca.Authority(home / "ca", now=lambda: a_year_ago)
    leaf = await past.certificate(["ended.example"])
    await write_records(found.database_url)
    if IS_ROOT:
        await keeper.provide(Owner(Kind.BUILD, "leaver"))
        shutil.rmtree(home / "owners" / "build.leaver")
    await keeper.drop("intake")
    squatter = await asyncio.start_server(lambda *_: None, "127.0.0.1", found.intake_port)
    try:
        report = await examining.examine(found)
        wrong, doubtful = sentences(report, Weight.WRONG), sentences(report, Weight.DOUBTFUL)
        assert f"permissions: {home}/secrets has mode 0755, not 0700." in wrong
        assert "services: intake is not kept." in wrong
        assert f"ports: Port {found.intake_port}, which intake needs, is held by " in wrong
        assert f"(process {os.getpid()})" in wrong
        assert "certificates: The certificate of ended.example ended 3 days ago." in wrong
        assert "runs: The run run_lost of tiny is running on record" in wrong
        assert "run_older of tiny was begun by workflows of version older" in wrong
        assert "database: Migration 0000_foreign has run on this database" in wrong
        assert f"leftovers: {workspace.parent.parent}: there is no app gone." in doubtful
        assert f"leftovers: {data.parent}: there is no app gone." in doubtful
        assert f"leftovers: {draft}: half of a change that was cut off." in doubtful
        assert ("build.leaver, which is gone" in doubtful) == IS_ROOT

        status, seen = await typed(found, "doctor", "--fix")
        assert status == 7, seen
        assert "The run run_lost is marked failed." in seen
        report = await examining.examine(found)
        left = sentences(report, Weight.WRONG) + sentences(report, Weight.DOUBTFUL)
        for mended in ("permissions", "run_lost", "tools.old", "build.gone", "build.leaver"):
            assert mended not in left
        for kept in ("intake is not kept", "is held by", "0000_foreign", "cluster.gone"):
            assert kept in left
        assert data.is_dir(), "data is for people to remove"
    finally:
        squatter.close()
        shutil.rmtree(leaf.chain.parent)
        shutil.rmtree(data.parent)
        await erase_records(found.database_url)
    assert (await typed(found, "up"))[0] == 0
    assert sentences(await settled(found), Weight.WRONG) == ""


async def test_a_process_that_nobody_looks_after_is_named(found: settings.Settings) -> None:
    if not IS_ROOT:
        pytest.skip("where everything is one user, no process can be told from a person's own")
    keeper = SocketKeeper(found.run / "steward.sock")
    await keeper.provide(Owner(Kind.BUILD, "stray"))
    account = pwd.getpwnam(Owner(Kind.BUILD, "stray").user(str(found.home.resolve())))
    ids = (account.pw_uid, account.pw_gid)
    stray = command.Command(argv=("sleep", "600"), env=command.base_environment(), ids=ids)
    async with command.running(stray, on_line=lambda _: None) as process:
        report = await examining.examine(found)
        assert f"Process {process.pid} of {account.pw_name}" in sentences(report, Weight.WRONG)
    await keeper.withdraw(Owner(Kind.BUILD, "stray"))


async def test_when_all_of_it_is_down_the_rest_is_looked_at(found: settings.Settings) -> None:
    assert (await typed(found, "down"))[0] == 0
    report = await examining.examine(found)
    wrong = sentences(report, Weight.WRONG)
    assert "services: The steward does not answer" in wrong
    assert "database: Shipway's own database cannot be asked" in wrong
    assert {"programs", "vault", "certificates"} <= {one.part for one in report.only(Weight.FINE)}
    assert (await typed(found, "up"))[0] == 0


async def test_where_there_is_none_it_says_how_to_begin(tmp_path: pathlib.Path) -> None:
    report = await examining.examine(settings.load(home=tmp_path / "nothing"))
    assert "There is no Shipway in" in sentences(report, Weight.WRONG)


@pytest.mark.parametrize("name", ["home", "elsewhere", "home/link"])
async def test_a_remedy_stays_inside_the_home(tmp_path: pathlib.Path, name: str) -> None:
    for folder in ("home", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "home" / "link").symlink_to(tmp_path / "elsewhere")
    remedy = findings.Remedy(kind="folder", target=str(tmp_path / name))
    finding = findings.doubtful("leftovers", "x", "", remedy)
    (sentence,) = await mending.mend(settings.load(home=tmp_path / "home"), [finding])
    assert "could not be mended" in sentence
    assert (tmp_path / name).is_dir()
