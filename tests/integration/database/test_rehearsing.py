"""Migrations on a copy of a database with 1,500,000 rows, and on one of a provider's."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import psycopg
import pytest
from tests.conftest import Cluster
from tests.integration.database.conftest import APP, ENVIRONMENT, HURRY, Passwords, Release

from shipway.database import clusters, copies, find, rehearsal
from shipway.database.copies import Copy
from shipway.database.load import statements_of
from shipway.database.migrations import Migrations
from shipway.database.model import Access, Migration
from shipway.database.rehearsal import Budget, Seen
from shipway.database.rehearsing import Rehearsals, keep_pristine
from shipway.kit import db
from shipway.runtime.port import Keeper

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("rehearsals")]

ROWS = 1_500_000
BUDGET = Budget(seconds=0.5, disk_bytes=10**12)

LARGE = f"""
create table orders (
    id int primary key, state varchar(50) not null, amount int, number int, note text
);
insert into orders select n, 'open', n % 1000, n, 'note' from generate_series(1, {ROWS}) n;
"""
ASKED = (
    "select state from orders where id = 7",
    "update orders set state = 'paid' where id = 7",
    "insert into orders (id, state) values (-1, 'open')",
)
READS_NOTE = "select note from orders where id = 7"

TYPE = "alter table orders alter column amount type bigint"
INDEX = "create index orders_state on orders (state, number)"
DANGEROUS = {
    "0001_type": TYPE,
    "0002_default": "alter table orders add column lot double precision default random()",
    "0003_index": INDEX,
    "0004_unique": "alter table orders add constraint orders_number unique (number)",
    "0005_backfill": "update orders set amount = 0 where id <= 150000",
    "0006_drop": "alter table orders drop column note",
}
REASONS = {
    "0001_type": (
        "keeps everybody from reading or writing orders",
        "rewrites orders",
        "new column",
    ),
    "0002_default": ("rewrites orders", "ACCESS EXCLUSIVE", "fill the rows in batches"),
    "0003_index": ("keeps everybody from writing orders", "SHARE", "create index concurrently"),
    "0004_unique": ("reading or writing", "ACCESS EXCLUSIVE", "using index"),
    "0005_backfill": ("makes others wait", "until all of it is committed", "in batches"),
}
SAFE = {
    "0001_type": "alter table orders add column amount_wide bigint",
    "0002_default": (
        "alter table orders add column lot double precision;"
        " alter table orders alter column lot set default random()"
    ),
    "0003_index_alone": "create index concurrently orders_state on orders (state, number)",
    "0004_unique_alone": "create unique index concurrently orders_number on orders (number)",
    "0005_unique": "alter table orders add constraint orders_number unique using index orders_number",
    "0006_backfill": "update orders set amount = 0 where id <= 2000",
    "0007_drop": "alter table orders drop column note",
}


@dataclass
class Stage:
    """A copy to rehearse on, of a database that a release migrates."""

    release: Release
    rehearsals: Rehearsals
    copy: Copy
    statements: Sequence[str]
    numbers: itertools.count[int] = dataclasses.field(default_factory=itertools.count)

    async def rehearse(
        self, files: dict[str, str], *, asked: Sequence[str] | None = None, down: bool = False
    ) -> Seen:
        migration = await self.release.migration(f"rehearsal_{next(self.numbers)}", **files)

        async def prepare(access: Access) -> Migration:
            return dataclasses.replace(migration, owner_url=access.owner_url)

        return await self.rehearsals.on(
            self.copy,
            prepare,
            statements=self.statements if asked is None else asked,
            down=("/bin/sh", "down.sh", "{to}") if down else (),
        )


async def run(url: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in statements:
            await connection.execute(statement.encode())


def reasons(seen: Seen) -> list[str]:
    return list(rehearsal.reasons(seen, BUDGET))


def locked(found: Seen, statement: str) -> float:
    return next(one.felt_seconds for one in found.measured if one.statement == statement)


@pytest.fixture(scope="module")
async def large(
    keeper: Keeper, shared_home: pathlib.Path, kept: Access, databases: clusters.Clusters
) -> AsyncIterator[Stage]:
    """A copy of a large database that an app has used."""
    await run(
        kept.owner_url, "drop schema public cascade", "create schema public", *LARGE.split(";")[:-1]
    )
    await run(kept.app_url, *ASKED, READS_NOTE)
    dumped = copies.Dumped(keeper, shared_home, databases)
    psql = (await find.find()).program("psql")
    rehearsals = Rehearsals(keeper, databases, dumped)
    async with dumped.lend(APP, ENVIRONMENT) as copy:
        await keep_pristine(copy)
        release = Release(keeper, kept, None, psql)  # type: ignore[arg-type]
        yield Stage(release, rehearsals, copy, await statements_of(kept, APP))
    assert not await keeper.services(clusters.copy_name(APP, ENVIRONMENT))


async def test_six_dangerous_migrations_are_stopped_with_their_reasons(large: Stage) -> None:
    seen = await large.rehearse(DANGEROUS)
    assert not seen.failure
    found = reasons(seen)
    for name, words in REASONS.items():
        (reason,) = [one for one in found if f"`{DANGEROUS[name]}`" in one]
        assert all(word in reason for word in words), reason
    (broken,) = [one for one in found if "which fails after this migration" in one]
    assert "select note from orders where id = $1" in broken
    assert len(found) == len(DANGEROUS)
    assert all(one.waits for one in seen.measured if one.statement == TYPE)


async def test_their_safe_forms_pass(large: Stage) -> None:
    others = [one for one in large.statements if "note" not in one]
    seen = await large.rehearse(SAFE, asked=others)
    assert reasons(seen) == []
    assert "no table rewritten" in rehearsal.sentence(seen, (), BUDGET)


async def test_what_a_rehearsal_predicts_is_what_the_live_database_then_shows(
    large: Stage, database: db.Database, databases: clusters.Clusters, keeper: Keeper
) -> None:
    """How busy the machine is changes between the two: they are compared side by side, and again."""
    live = large.release.access
    await run(live.owner_url, "drop table if exists applied")
    migrations = Migrations(keeper, database, databases, patience=HURRY)
    factors = []
    for attempt in range(3):
        files = {f"{attempt}001_index": f"drop index if exists orders_state; {INDEX}"}
        predicted = locked(await large.rehearse(files), INDEX)
        migration = await large.release.migration(f"real_{attempt}", **files)
        report = await migrations.migrate(migration)
        shown = next(one for one in report.statements if one.sql.rstrip(";").endswith(INDEX))
        factors.append(shown.locked_seconds / predicted)
        if 0.5 <= factors[-1] <= 2:
            return
    pytest.fail(f"the live database was locked for {factors} times of what was predicted")


@pytest.fixture(scope="module")
async def small(
    keeper: Keeper, shared_home: pathlib.Path, cluster: Cluster
) -> AsyncIterator[Stage]:
    """A copy of a provider's database, whose extensions and owner are the provider's."""
    name = await cluster.make()
    url = cluster.url(name)
    await run(
        url,
        "create extension if not exists pg_trgm",
        "create table notes (id int primary key, text text)",
        "insert into notes select n, 'milk' from generate_series(1, 100) n",
    )

    async def given(app: str, environment: str) -> str:
        return url

    databases = clusters.Clusters(keeper, shared_home, Passwords(), given)
    dumped = copies.Dumped(keeper, shared_home, databases)
    psql = (await find.find()).program("psql")
    async with dumped.lend("provided", "production") as copy:
        await keep_pristine(copy)
        access = await databases.access("provided", "production")
        release = Release(keeper, access, None, psql)  # type: ignore[arg-type]
        yield Stage(release, Rehearsals(keeper, databases, dumped), copy, ())
    await cluster.drop(name)


async def test_a_providers_database_is_rehearsed_on_a_dump(small: Stage) -> None:
    seen = await small.rehearse({"0001_done": "alter table notes add column done boolean"})
    assert (seen.failure, seen.after, seen.knows_statements) == ("", "0001_done", False)
    assert "made by dump" in seen.copy
    assert reasons(seen) == []


async def test_each_rehearsal_begins_with_the_copy_as_it_came(small: Stage) -> None:
    files = {"0001_done": "alter table notes add column done boolean"}
    for _ in range(2):
        seen = await small.rehearse(files)
        assert (seen.failure, seen.before) == ("", "")


async def test_what_fails_on_the_copy_is_told_with_its_statement(small: Stage) -> None:
    seen = await small.rehearse({"0001_bad": "create table more (); insert into notes values (1)"})
    assert seen.failure == (
        "On a copy it failed at `insert into notes values (1)`: duplicate key value violates unique"
        ' constraint "notes_pkey".'
    )


async def test_a_drop_is_stopped_where_nobody_knows_what_is_asked(small: Stage) -> None:
    seen = await small.rehearse({"0001_drop": "alter table notes drop column text"})
    assert "The statements of the live release are not known here." in reasons(seen)[0]


async def test_a_down_that_inverts_its_up_is_proven(small: Stage) -> None:
    files = {
        "0002_done": "alter table notes add column done boolean default false",
        "0002_done.down": "alter table notes drop column done",
    }
    seen = await small.rehearse(files, down=True)
    assert seen.reversal.proven, seen.reversal.sentence
    assert "what is in notes.done by then goes with it" in seen.reversal.sentence


async def test_a_down_that_loses_rows_is_no_way_back(small: Stage) -> None:
    files = {
        "0002_loses": "alter table notes add column length int; update notes set text = upper(text)",
        "0002_loses.down": "alter table notes drop column length",
    }
    seen = await small.rehearse(files, down=True)
    assert seen.reversal.proven is False
    assert seen.reversal.sentence == "Down does not bring back the rows of notes."
