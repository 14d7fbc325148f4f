from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from tests.conftest import Cluster
from tests.integration.database.conftest import APP, ENVIRONMENT, HURRY, Passwords, Release

from shipway.database import clusters, find
from shipway.database.migrations import Migrations
from shipway.database.model import Access
from shipway.kit import command, db, errors
from shipway.runtime.port import Keeper

pytestmark = pytest.mark.anyio

NOTES = (
    "create table notes (id int primary key, text text);\ninsert into notes values (1, 'milk');\n"
)
DONE = "alter table notes add column done boolean not null default false;\n"
SLOW = "select pg_sleep(60);\n"
SLEEPS = """
    select count(*) = 1 from pg_stat_activity
    where query like 'select pg_sleep(60)%' and state = 'active'
"""


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await (await connection.execute(sql.encode())).fetchall()


async def until(url: str, sql: str) -> None:
    """Wait until a question has the answer yes."""
    async with asyncio.timeout(20):
        while await rows(url, sql) != [(True,)]:  # noqa: ASYNC110 -- the server tells nobody
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def held(url: str, table: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A session that holds everybody else off a table until it is rolled back."""
    async with await psycopg.AsyncConnection.connect(url, application_name="a report") as session:
        await session.execute(f"lock table {table} in access share mode".encode())
        yield session


async def record(database: db.Database, deployment: str) -> db.Row:
    row = await database.row(
        "select * from database.migrations where deployment = %(deployment)s", deployment=deployment
    )
    assert row
    return row


async def test_a_migration_tells_heads_statements_and_durations(
    release: Release, database: db.Database
) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES, "0002_done": DONE})
    lines: list[str] = []
    report = await release.migrations.migrate(migration, on_line=lines.append)
    assert (report.before, report.after, report.attempts) == ("", "0002_done", 1)
    changes = [one.sql for one in report.statements if "applied" not in one.sql]
    assert changes == [one.strip() for one in (*NOTES.splitlines(), DONE)]
    assert all(0 < one.seconds < report.seconds for one in report.statements)
    kept = await record(database, "d1")
    assert (kept["state"], kept["after"], kept["attempts"]) == ("succeeded", "0002_done", 1)
    assert kept["sentence"].startswith("The schema went from nothing to 0002_done in ")


async def test_a_second_call_returns_the_recorded_report(release: Release) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES})
    report = await release.migrations.migrate(migration)
    broken = dataclasses.replace(migration, argv=("/bin/false",))
    assert await release.migrations.migrate(broken) == report


async def test_a_release_without_new_migrations_changes_nothing(release: Release) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    report = await release.migrations.migrate(
        await release.migration("d2", **{"0001_notes": NOTES})
    )
    assert report.sentence == "The schema was already at 0001_notes."


async def test_a_failure_names_its_statement_and_keeps_the_head(
    release: Release, access: Access, database: db.Database
) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    broken = "create table more ();\ninsert into notes values (1, 'again');\n"
    migration = await release.migration("d2", **{"0001_notes": NOTES, "0002_more": broken})
    with pytest.raises(errors.Failed) as failure:
        await release.migrations.migrate(migration)
    assert str(failure.value) == (
        "The migration of aios in staging failed at `insert into notes values (1, 'again');`:"
        ' duplicate key value violates unique constraint "notes_pkey".'
        " The schema is still at 0001_notes."
        " The release before goes on serving. Mend the migration and push again."
    )
    assert await rows(access.owner_url, "select to_regclass('more')") == [(None,)]
    assert (await record(database, "d2"))["state"] == "failed"


async def test_what_came_before_a_failure_is_told(release: Release) -> None:
    files = {"0001_notes": NOTES, "0002_bad": "select 1 / 0;"}
    with pytest.raises(errors.Failed, match="from nothing to 0001_notes before that"):
        await release.migrations.migrate(await release.migration("d1", **files))


async def test_a_tool_that_fails_without_the_server_shows_its_output(release: Release) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES})
    tool = ("/bin/sh", "-c", "echo the tool is broken; exit 3")
    with pytest.raises(errors.Failed, match="exited with status 3 the tool is broken"):
        await release.migrations.migrate(dataclasses.replace(migration, argv=tool))


async def test_a_head_that_cannot_be_read_stops_the_migration(release: Release) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES})
    with pytest.raises(errors.Failed, match="head of aios in staging cannot be read"):
        await release.migrations.migrate(dataclasses.replace(migration, head_argv=("false",)))


async def test_a_lock_that_is_released_is_waited_for(release: Release, access: Access) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    migration = await release.migration("d2", **{"0001_notes": NOTES, "0002_done": DONE})
    async with held(access.app_url, "notes") as session:

        def free(line: str) -> None:
            if "trying again" in line:
                asyncio.get_running_loop().create_task(session.rollback())

        report = await release.migrations.migrate(migration, on_line=free)
    assert (report.after, report.attempts) == ("0002_done", 2)


async def test_a_lock_that_is_never_released_ends_in_a_sentence(
    release: Release, access: Access
) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    migration = await release.migration("d2", **{"0001_notes": NOTES, "0002_done": DONE})
    async with held(access.app_url, "notes"):
        with pytest.raises(errors.Failed) as failure:
            await release.migrations.migrate(migration)
    sentence = failure.value.what
    assert "gave up at `alter table notes add column done" in sentence
    assert (
        "a session of role server (application 'a report', idle in transaction) has held it"
        in sentence
    )
    assert sentence.endswith("The schema is still at 0001_notes.")


async def test_readers_wait_no_longer_than_the_lock_timeout(
    release: Release, access: Access
) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    migration = await release.migration("d2", **{"0001_notes": NOTES, "0002_done": DONE})
    async with held(access.app_url, "notes"):
        attempt = asyncio.create_task(release.migrations.migrate(migration))
        longest = 0.0
        while not attempt.done():
            begun = asyncio.get_running_loop().time()
            await rows(access.app_url, "select text from notes")
            longest = max(longest, asyncio.get_running_loop().time() - begun)
        with pytest.raises(errors.Failed, match="gave up"):
            await attempt
    assert longest < 1.5


async def test_one_that_was_killed_halfway_is_cleared_away_and_run_again(
    release: Release, access: Access, database: db.Database
) -> None:
    files = {"0001_notes": NOTES, "0002_slow": SLOW}
    killed = asyncio.create_task(release.migrations.migrate(await release.migration("d1", **files)))
    await until(access.admin_url, SLEEPS)
    killed.cancel()
    await asyncio.wait([killed])
    assert (await record(database, "d1"))["state"] == "running"
    report = await release.migrations.migrate(
        await release.migration("d1", **{**files, "0002_slow": DONE})
    )
    assert await rows(access.admin_url, SLEEPS) == [(False,)]
    assert (report.before, report.after, report.attempts) == ("", "0002_slow", 2)
    assert any(one.sql.startswith("create table notes") for one in report.statements)


async def test_a_worker_that_was_killed_leaves_nothing_in_the_way(
    release: Release, access: Access, database: db.Database, shared_home: pathlib.Path
) -> None:
    """Its migration goes on without it: first that is ended, and then all of it is done."""
    slow = f"lock table notes in access exclusive mode; {SLOW}"
    files = {"0001_notes": NOTES, "0002_slow": slow}
    migration = await release.migration("d1", **files)
    told = {
        "home": str(shared_home),
        "database": database.url,
        "migration": dataclasses.asdict(migration),
    }
    worker = command.Command(
        argv=(sys.executable, "-m", "tests.integration.database.one_migration"),
        env=command.base_environment(),
        cwd=pathlib.Path(__file__).parents[3],
        stdin=json.dumps(told).encode(),
    )
    killed = asyncio.create_task(command.run(worker))
    await until(access.admin_url, SLEEPS)
    killed.cancel()  # which is SIGKILL for the worker, not for the tool in its own session
    await asyncio.wait([killed])
    assert await rows(access.admin_url, SLEEPS) == [(True,)]
    again = await release.migration("d1", **{"0001_notes": NOTES, "0002_slow": DONE})
    report = await release.migrations.migrate(again)
    assert await rows(access.admin_url, SLEEPS) == [(False,)]
    assert (report.before, report.after, report.attempts) == ("", "0002_slow", 2)


async def test_sessions_that_outlived_their_worker_are_ended(
    release: Release, access: Access
) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    migration = await release.migration("d2", **{"0001_notes": NOTES, "0002_done": DONE})
    async with await psycopg.AsyncConnection.connect(access.owner_url) as left_behind:
        await left_behind.execute("lock table notes in access exclusive mode")
        report = await release.migrations.migrate(migration)
        assert (report.after, report.attempts) == ("0002_done", 1)
        with pytest.raises(psycopg.errors.AdminShutdown):
            await left_behind.execute("select 1")


async def test_a_second_migrator_waits_its_turn_and_then_says_so(
    release: Release, access: Access
) -> None:
    slow = asyncio.create_task(
        release.migrations.migrate(await release.migration("d1", **{"0001_slow": SLOW}))
    )
    await until(access.admin_url, SLEEPS)
    with pytest.raises(errors.Conflict, match="Another migration of aios in staging is running"):
        await release.migrations.migrate(await release.migration("d2", **{"0001_slow": SLOW}))
    slow.cancel()
    await asyncio.wait([slow])


async def test_an_index_that_cannot_be_finished_is_removed(
    release: Release, access: Access
) -> None:
    await release.migrations.migrate(
        await release.migration(
            "d1", **{"0001_notes": NOTES + "insert into notes values (2, 'milk');"}
        )
    )
    migration = await release.migration("d2")
    index = "create unique index concurrently notes_text on notes (text)"
    tool = ("/bin/sh", "-c", f'exec "$PSQL" -Xq "$DB_URL" -v ON_ERROR_STOP=1 -c "{index}"')
    with pytest.raises(errors.Failed, match="could not create unique index") as failure:
        await release.migrations.migrate(dataclasses.replace(migration, argv=tool))
    assert "Unfinished" not in str(failure.value)
    assert await rows(access.owner_url, "select to_regclass('notes_text')") == [(None,)]


async def test_an_unfinished_index_of_somebody_else_stays(release: Release, access: Access) -> None:
    twice = NOTES + "insert into notes values (2, 'milk');"
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": twice}))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await rows(access.owner_url, "create unique index concurrently notes_text on notes (text)")
    await release.migrations.migrate(
        await release.migration("d2", **{"0001_notes": twice, "0002_done": DONE})
    )
    assert await rows(access.owner_url, "select to_regclass('notes_text')") != [(None,)]


async def test_a_migration_that_was_edited_after_it_ran_is_refused(
    release: Release, access: Access
) -> None:
    await release.migrations.migrate(await release.migration("d1", **{"0001_notes": NOTES}))
    edited = await release.migration("d2", **{"0001_notes": NOTES + "-- more", "0002_done": DONE})
    with pytest.raises(errors.Refused, match=r"edited after it ran in staging: 0001_notes\.sql"):
        await release.migrations.migrate(edited)
    columns = "select count(*) from pg_attribute where attrelid = 'notes'::regclass and attnum > 0"
    assert await rows(access.owner_url, columns) == [(2,)]


async def test_one_that_failed_may_be_edited(release: Release) -> None:
    broken = {"0001_notes": NOTES, "0002_done": "select 1 / 0;"}
    with pytest.raises(errors.Failed):
        await release.migrations.migrate(await release.migration("d1", **broken))
    mended = {**broken, "0002_done": DONE}
    report = await release.migrations.migrate(await release.migration("d2", **mended))
    assert report.after == "0002_done"
    edited = await release.migration("d3", **{**mended, "0001_notes": NOTES + "--"})
    with pytest.raises(errors.Refused, match=r"0001_notes\.sql"):  # it did run
        await release.migrations.migrate(edited)


async def test_a_syntax_error_leaves_nothing_half_done_and_is_named(
    release: Release, access: Access
) -> None:
    """The tool sends the file as one text, as many libraries do."""
    parts = [f"create table t{n} ()" for n in range(1, 7)]
    text = "; ".join([*parts, "create table table t7 ()", "create table t8 ()"])
    migration = await release.migration("d1")
    tool = ("/bin/sh", "-c", f'exec "$PSQL" -Xq "$DB_URL" -v ON_ERROR_STOP=1 -c "{text}"')
    with pytest.raises(errors.Failed) as failure:
        await release.migrations.migrate(dataclasses.replace(migration, argv=tool))
    assert "failed at statement 7 of 8, `create table table t7 ()`" in str(failure.value)
    assert await rows(access.owner_url, "select to_regclass('t1')") == [(None,)]


async def test_the_moment_before_a_migration_has_a_name(release: Release, access: Access) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES})
    await release.migrations.migrate(migration)
    log = "select pg_read_file(pg_current_logfile('jsonlog')) ~ 'restore point \\\\\"before d1'"
    assert await rows(access.admin_url, log) == [(True,)]


async def test_no_password_is_in_any_record(release: Release, database: db.Database) -> None:
    migration = await release.migration("d1", **{"0001_notes": NOTES})
    await release.migrations.migrate(migration)
    assert "a'b%c" not in str(await record(database, "d1"))
    assert "%27b" not in repr(migration)


@pytest.fixture
async def provided(keeper: Keeper, cluster: Cluster, shared_home: pathlib.Path,
                   database: db.Database) -> AsyncIterator[Release]:  # fmt: skip
    """A release whose environment was given a database that Shipway does not run."""
    name = await cluster.make()
    url = cluster.url(name)

    async def given(app: str, environment: str) -> str:
        return url

    databases = clusters.Clusters(keeper, shared_home, Passwords(), given)
    migrations = Migrations(keeper, database, databases, patience=HURRY)
    psql = (await find.find()).program("psql")
    yield Release(keeper, await databases.ensure(APP, ENVIRONMENT), migrations, psql)
    await cluster.drop(name)


async def test_a_providers_database_is_migrated_with_what_can_be_seen(provided: Release) -> None:
    migration = await provided.migration("d1", **{"0001_notes": NOTES})
    report = await provided.migrations.migrate(migration)
    assert (report.after, report.statements) == ("0001_notes", ())


async def test_a_lock_in_a_providers_database_is_waited_for(provided: Release) -> None:
    await provided.migrations.migrate(await provided.migration("d1", **{"0001_notes": NOTES}))
    migration = await provided.migration("d2", **{"0001_notes": NOTES, "0002_done": DONE})
    async with held(provided.access.app_url, "notes"):
        with pytest.raises(errors.Failed, match="waited for a lock again and again"):
            await provided.migrations.migrate(migration)


async def test_a_database_that_does_not_answer_is_told(provided: Release) -> None:
    migration = await provided.migration("d1", **{"0001_notes": NOTES})
    nowhere = dataclasses.replace(migration, owner_url="postgresql://me@/notes?host=/nowhere")
    with pytest.raises(errors.Unavailable, match="database of aios in staging does not answer"):
        await provided.migrations.migrate(nowhere)
