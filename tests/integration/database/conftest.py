from __future__ import annotations

import hashlib
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import psycopg
import pytest

from shipway.database import clusters, find
from shipway.database.migrations import Migrations
from shipway.database.model import Access, Migration, Patience
from shipway.kit import db, settings
from shipway.runtime.drivers import boot
from shipway.runtime.drivers.local import LocalKeeper
from shipway.runtime.model import Kind, Owner
from shipway.runtime.port import Keeper

APP, ENVIRONMENT = "aios", "staging"

HURRY = Patience(lock=0.3, first_pause=0.1, longest_pause=0.2, attempts=3, other_migrator=0.5)

END_OTHERS = """
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where usename = current_user and pid <> pg_backend_pid()
"""


class Passwords:
    """Secrets that are the same each time they are asked for."""

    async def internal(self, app: str, environment: str, name: str) -> str:
        return f"{name} of {app}/{environment}: a'b%c"


async def none_given(app: str, environment: str) -> str:
    return ""


@pytest.fixture(scope="session")
def shared_home() -> Iterator[pathlib.Path]:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shipway-db-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def keeper(shared_home: pathlib.Path) -> AsyncIterator[LocalKeeper]:
    """The real one: s6, and OS users when the tests are root."""
    found = settings.load(home=shared_home)
    yield LocalKeeper(shared_home, found)
    await boot.shut_down(found, forget=True)


@pytest.fixture(scope="session")
async def databases(keeper: Keeper, shared_home: pathlib.Path) -> clusters.Clusters:
    return clusters.Clusters(keeper, shared_home, Passwords(), none_given, patience=HURRY)


@pytest.fixture(scope="session")
async def kept(databases: clusters.Clusters) -> Access:
    """The addresses of one cluster for the whole session."""
    return await databases.ensure(APP, ENVIRONMENT)


@pytest.fixture
async def access(kept: Access) -> Access:
    """The cluster with an empty schema, and without the sessions that a test left behind."""
    async with await psycopg.AsyncConnection.connect(kept.owner_url, autocommit=True) as owner:
        await owner.execute(END_OTHERS)
        await owner.execute("drop schema public cascade")
        await owner.execute("create schema public")
    return kept


@dataclass
class Release:
    """A release whose migration tool is psql: files in order, each once, one transaction each."""

    keeper: Keeper
    access: Access
    migrations: Migrations
    psql: str

    async def migration(self, deployment: str, **files: str) -> Migration:
        """Put the files where a release has them and return the migration.

        One called ``…_alone`` has no transaction around it, one called ``….down`` takes back.
        """
        owner = Owner(Kind.SERVER, APP, ENVIRONMENT)
        await self.keeper.provide(owner)
        cwd = f"releases/{deployment}"
        await self.keeper.remove(owner, cwd)
        await self.keeper.write(owner, f"{cwd}/migrate.sh", MIGRATE.encode())
        await self.keeper.write(owner, f"{cwd}/head.sh", HEAD.encode())
        await self.keeper.write(owner, f"{cwd}/down.sh", DOWN.encode())
        for name, sql in files.items():
            file = name if name.endswith(".down") else f"{name}.sql"
            await self.keeper.write(owner, f"{cwd}/{file}", sql.encode())
        return Migration(
            app=APP,
            environment=ENVIRONMENT,
            deployment=deployment,
            release="v1.0.1",
            argv=("/bin/sh", "migrate.sh"),
            head_argv=("/bin/sh", "head.sh"),
            cwd=cwd,
            env={"PSQL": self.psql},
            owner_url=self.access.owner_url,
            files={
                f"{name}.sql": hashlib.sha256(sql.encode()).hexdigest()
                for name, sql in files.items()
            },
        )


MIGRATE = """
set -eu
sql() { "$PSQL" -Xqv ON_ERROR_STOP=1 "$DB_URL" "$@"; }
PGOPTIONS="$PGOPTIONS -c client_min_messages=warning" \
  sql -c "create table if not exists applied (name text primary key)"
for file in *.sql; do
    name=${file%.sql}
    [ "$(sql -Atc "select count(*) from applied where name = '$name'")" = 0 ] || continue
    case $name in *_alone) how= ;; *) how=--single-transaction ;; esac
    sql $how -f "$file" -c "insert into applied values ('$name')"
done
"""

DOWN = """
set -eu
for file in $(ls -r ./*.down); do
    name=${file#./} name=${name%.down}
    [ "$name" \\> "$1" ] || continue
    "$PSQL" -Xqv ON_ERROR_STOP=1 "$DB_URL" --single-transaction -f "$file" \
      -c "delete from applied where name = '$name'"
done
"""

HEAD = """
set -eu
sql() { "$PSQL" -XAtq "$DB_URL" -c "$1"; }
[ -n "$(sql "select to_regclass('applied')")" ] || exit 0
echo "INFO reading the head" >&2
sql "select max(name) || ' (head)' from applied"
"""


@pytest.fixture
async def release(
    keeper: Keeper, access: Access, databases: clusters.Clusters, database: db.Database
) -> Release:
    postgres = await find.find()
    migrations = Migrations(keeper, database, databases, patience=HURRY)
    return Release(keeper, access, migrations, postgres.program("psql"))
