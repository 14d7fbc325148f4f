"""`shipway dev` on the tiny app: what a person sees, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import pathlib
import signal
from collections.abc import Callable

import pytest
from tests.integration.local.conftest import ROOT, Dev

pytestmark = pytest.mark.anyio

TINY = ROOT / "tests" / "apps" / "tiny"
Begin = Callable[[pathlib.Path], Dev]


async def test_a_clean_clone_runs_reloads_and_ends_whole(begin: Begin) -> None:
    dev = begin(TINY)
    await dev.start()
    await dev.says("All of it runs")
    assert (await dev.asks()).json() == {
        "version": "1",
        "database": "answers",
        "schema_head": "0001_notes",
    }
    assert "install    | " in dev.text
    assert "migrate    | applied 0001_notes" in dev.text

    (dev.clone / "server" / "tiny" / "__init__.py").write_text('VERSION = "2"\nFAULT = ""\n')
    await dev.becomes("/health", lambda text: '"version": "2"' in text)
    assert "Starts again: tiny/__init__.py has changed." in dev.text

    more = dev.clone / "server" / "migrations" / "0002_more.sql"
    more.write_text("create table more (id integer);\n")
    await dev.becomes("/health", lambda text: "0002_more" in text)

    assert dev.left()
    assert await dev.ends(by=signal.SIGINT) == 0
    assert dev.left() == []
    assert dev.seen[-1] == "Everything has ended."

    await dev.start()
    await dev.becomes("/health", lambda text: "0002_more" in text)
    assert "Dependencies" not in dev.text.partition("Everything has ended.")[2]
    await dev.ends(by=signal.SIGTERM)
    await dev.start("--fresh")
    await dev.becomes("/health", lambda text: "0002_more" in text)
    assert dev.text.count("applied 0001_notes") == 2
    await dev.ends(by=signal.SIGHUP)
    assert dev.left() == []


async def test_a_broken_server_waits_for_its_mending(begin: Begin) -> None:
    dev = begin(TINY)
    broken = dev.clone / "server" / "tiny" / "server.py"
    sound = broken.read_text()
    broken.write_text("1 / 0\n")
    await dev.start()
    await dev.says("It ended with status 1. It starts after a change.")
    assert "ZeroDivisionError" in dev.text
    broken.write_text(sound)
    await dev.says("All of it runs")
    await dev.ends(by=signal.SIGINT)
    assert dev.left() == []


async def test_a_second_one_in_the_clone_is_refused_and_a_killed_one_is_cleared_up_after(
    begin: Begin,
) -> None:
    dev = begin(TINY)
    await dev.start()
    await dev.says("All of it runs")
    second = Dev(dev.clone, dev._path)
    await second.start()
    assert await second.ends() == 6
    assert f"runs in this clone already, as process {dev.process.pid}" in second.text

    await dev.ends(by=signal.SIGKILL)
    third = Dev(dev.clone, dev._path)
    await third.start()
    await third.says("Ended what a killed `shipway dev` had left.")
    await third.says("All of it runs")
    await third.ends(by=signal.SIGINT)
    assert (dev.left(), third.left()) == ([], [])


async def test_a_taken_port_is_said_with_who_has_it_and_the_flag(begin: Begin) -> None:
    dev = begin(TINY)
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", dev.port)
    async with taken:
        await dev.start()
        assert await dev.ends() == 6
    assert f"Port {dev.port}, for the server, is in use" in dev.text
    assert f"shipway dev --port {dev.port + 1}" in dev.text


async def test_outside_of_a_clone_it_says_where_to_go(begin: Begin) -> None:
    dev = begin(TINY)
    (dev.clone / "shipway.toml").unlink()
    await dev.start()
    assert await dev.ends() == 5
    assert "There is no shipway.toml here" in dev.text


async def test_a_failing_migration_ends_it_with_its_words(begin: Begin) -> None:
    dev = begin(TINY)
    (dev.clone / "server" / "migrations" / "0000_bad.sql").write_text("create nonsense;\n")
    await dev.start()
    assert await dev.ends(timeout=60) == 8
    assert 'syntax error at or near "nonsense"' in dev.text
    assert dev.left() == []


async def test_a_database_of_ones_own_is_used(begin: Begin) -> None:
    dev = begin(TINY)
    (dev.clone / ".env").write_text("DB_URL=postgresql://nobody@127.0.0.1:1/none\n")
    await dev.start()
    assert await dev.ends(timeout=60) == 8
    assert "The database is that of DB_URL in .env; none is started here." in dev.text
    assert not (dev.clone / ".shipway" / "dev" / "postgres").exists()
