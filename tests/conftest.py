"""What every test may ask for: a real PostgreSQL, a folder to be SHIPWAY_HOME, asyncio.

One throwaway cluster serves a test session (each worker of pytest-xdist has its own). Its
databases are copies of a template that has all migrations, so that a fresh one costs
a fraction of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pathlib
import pwd
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import hypothesis
import psycopg
import pytest
import pytest_socket
from demo.stage import Stage
from tests.chaos import tally

from shipway.kit import command, db, errors, migrate

SCRATCH = pathlib.Path("/var/tmp")
"""Not pytest's own folder: other OS users must get in, and a socket's path must stay short."""

NO_DURABILITY = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}


hypothesis.settings.register_profile(
    "timeless",  # how long an example takes says how busy the machine is
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("timeless")

TOO_LATE = "`./dev soak` has no time left for it."

TIERS = ("unit", "architecture", "contracts", "integration", "stories", "chaos", "soak")
"""The folders of the tests, the quick ones first: what is broken is heard of early."""

LONGEST = "test_aios.py"
"""Goes before all: one of two processes tells it while the other does the quick ones. Begun last, it
would go on alone."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run one tier after the other; within each the order stays random."""
    here = pathlib.Path(__file__).parent
    items.sort(
        key=lambda item: (
            item.path.name != LONGEST,
            TIERS.index(item.path.relative_to(here).parts[0]),
        )
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name for the last lines of `./dev soak` what failed and what came too late, once: xdist tells
    of it in two processes. Why it failed is told at once: a soak may be ended before its end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if report.failed:
        tally.add(failed=f"{report.nodeid} ({report.when})")
        if tally.is_kept():
            sections = (f"{name}\n{text}" for name, text in report.sections)
            print("", report.longreprtext, *sections, sep="\n", flush=True)
    if report.skipped and TOO_LATE in str(report.longrepr):
        tally.add(left_out=report.nodeid)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep unit tests off the network; asyncio's own pair of sockets is let through.

    What begins after the end of a soak (``SHIPWAY_UNTIL``, seconds since 1970) is left out.
    """
    if time.time() > float(os.environ.get("SHIPWAY_UNTIL", "inf")):
        pytest.skip(TOO_LATE)  # a soak ends when it was told to, and names what it left out
    if "unit" not in item.path.relative_to(pathlib.Path(__file__).parent).parts[:1]:
        return
    pytest_socket.socket_allow_hosts([], allow_unix_socket=False)
    pytest_socket.disable_socket(allow_unix_socket=True)
    if {"cluster", "database", "database_url"} & set(getattr(item, "fixturenames", ())):
        pytest.fail("a unit test does without a database: move it to tests/integration")


@pytest.fixture
def home() -> Iterator[pathlib.Path]:
    """A fresh SHIPWAY_HOME that other OS users can walk through."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shipway-home-", dir=SCRATCH))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """A PostgreSQL that forgets everything, reached by its Unix socket as a superuser."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path) -> None:
        self.folder = folder
        self._programs = programs
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://shipway@/{database}?host={self.folder}"

    async def start(self) -> None:
        settings = " ".join(f"-c {name}={value}" for name, value in NO_DURABILITY.items())
        data = str(self.folder / "data")
        await self._run("initdb", "-D", data, "-U", "shipway", "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        await self._run("pg_ctl", "start", "-w", "-D", data, "-l", str(self.folder / "log"),
                        "-o", f"-k {self.folder} {settings}")  # fmt: skip

    async def stop(self) -> None:
        await self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    async def make_template(self) -> None:
        await self.make("template_shipway")
        await migrate.migrate(self.url("template_shipway"))

    async def make(self, name: str = "", *, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = name or f"test_{next(self._numbers)}"
        await self._administer(f"create database {name} template {template}")
        return name

    async def drop(self, name: str) -> None:
        await self._administer(f"drop database if exists {name} with (force)")

    async def _administer(self, sql: str) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.url("postgres"), autocommit=True
        ) as connection:
            await connection.execute(sql.encode())

    async def _run(self, program: str, *arguments: str) -> None:
        prefix: tuple[str, ...] = ()
        if os.geteuid() == 0:
            user = _unprivileged()
            shutil.chown(self.folder, user.pw_uid, user.pw_gid)
            ids = f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"
            prefix = ("setpriv", *ids, "--clear-groups")
        await command.run(
            command.Command(
                argv=(*prefix, str(self._programs / program), *arguments),
                env=command.base_environment(),
                cwd=self.folder,
                timeout=120,
            )
        )


def _unprivileged() -> pwd.struct_passwd:
    """The OS user for a cluster of a test run by root, whom PostgreSQL refuses to serve."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _programs() -> pathlib.Path:
    folders = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(folders, key=lambda folder: int(folder.parent.name))[-1:]
    if found := newest or [pathlib.Path(p).parent for p in [shutil.which("initdb")] if p]:
        return found[0]
    pytest.fail("the tests need PostgreSQL: apt-get install postgresql")


def _prefix(pid: int) -> str:
    """Names the session that a cluster belongs to: process ids mean little across namespaces."""
    return f"shipway-pg-{pathlib.Path('/proc/self/ns/pid').stat().st_ino}-{pid}-"


async def _end_orphans() -> None:
    """Stop the clusters of sessions that were killed before they could do so."""
    for folder in SCRATCH.glob(_prefix(0).removesuffix("0-") + "*"):
        owner = folder.name.split("-")[3]
        if not pathlib.Path("/proc", owner).exists():
            with contextlib.suppress(errors.ShipwayError, OSError):  # another session is faster
                await Cluster(folder, _programs()).stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's PostgreSQL, with a template database that has all migrations."""
    asyncio.run(_end_orphans())
    folder = pathlib.Path(tempfile.mkdtemp(prefix=_prefix(os.getpid()), dir=SCRATCH))
    folder.chmod(0o755)
    made = Cluster(folder, _programs())
    try:
        asyncio.run(made.start())
        asyncio.run(made.make_template())
        yield made
    finally:
        asyncio.run(made.stop())
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def database_url(cluster: Cluster) -> AsyncIterator[str]:
    """The address of a fresh database with all migrations, for a process of its own."""
    name = await cluster.make(template="template_shipway")
    yield cluster.url(name)
    await cluster.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[db.Database]:
    """A fresh database with all migrations, opened."""
    opened = db.Database(database_url, name="test")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def tiny(anyio_backend: str) -> AsyncIterator[Stage]:
    """A whole Shipway, with the app `tiny` live in staging and production.

    Stories share it, in any order: each leaves the app's sources as they were, and takes
    whatever is live as it finds it.
    """
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-story-", dir=SCRATCH))
    stage = Stage.fresh(home, pathlib.Path(__file__).parent / "apps" / "tiny", quiet=True)
    try:
        await stage.set_up()
        await stage.create_app()
        await stage.deliver()
        await stage.invite_approver()
        await stage.promote()
        yield stage
    except BaseException:
        stage.show_logs()
        raise
    finally:
        await stage.end()
