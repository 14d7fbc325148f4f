"""The tools that change a schema, as far as Shipway knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shipway.appfile import survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part


def database(parts: Sequence[Part], by: Part | None) -> Iterator[Section]:
    """Return the migration tool, if one of those that Shipway knows is there."""
    for part in parts:
        for tool in (_alembic, _django, _drizzle, _prisma, _knex):
            if section := tool(part):
                yield section
                return
    if by and by.depends_on("psycopg", "psycopg2", "asyncpg", "pg", "postgres"):
        yield Section(
            heading="",
            told="CHECK: the server uses PostgreSQL, but no migration tool was found.\n"
            "With a section [database] (migrate, head) each environment gets a cluster of its own.",
        )


def _alembic(part: Part) -> Section | None:
    if part.kind != "python" or not part.has("alembic.ini"):
        return None
    return _tool(part, ("alembic.ini", _alembic_folder(part)), ("python", "-m", "alembic", "upgrade", "head"),
                 ("python", "-m", "alembic", "current"), "Alembic")  # fmt: skip


def _alembic_folder(part: Part) -> str:
    found = re.search(
        r"^script_location\s*=\s*(?:%\(here\)s/)?(\S+)",
        survey.read_text(part.path / "alembic.ini"),
        re.MULTILINE,
    )
    return found[1] if found and words.FOLDER.fits(found[1]) else "migrations"


def _django(part: Part) -> Section | None:
    if part.kind != "python" or not (part.depends_on("django") and part.has("manage.py")):
        return None
    last = (
        "from django.db.migrations.recorder import MigrationRecorder as R; "
        "print(R.Migration.objects.order_by('id').values_list('name', flat=True).last() or '')"
    )
    return _tool(part, (), ("python", "manage.py", "migrate", "--noinput"),
                 ("python", "manage.py", "shell", "-c", last), "Django")  # fmt: skip


def _drizzle(part: Part) -> Section | None:
    config = part.has("drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs")
    if part.kind != "node" or not config:
        return None
    head = "select hash from drizzle.__drizzle_migrations order by id desc limit 1"
    return _tool(part, (), ("npx", "drizzle-kit", "migrate"), _node_query(part, head), "Drizzle")


def _prisma(part: Part) -> Section | None:
    if part.kind != "node" or not part.has("prisma/schema.prisma"):
        return None
    head = "select migration_name from _prisma_migrations order by finished_at desc limit 1"
    return _tool(part, (), ("npx", "prisma", "migrate", "deploy"), _node_query(part, head),
                 "Prisma")  # fmt: skip


def _knex(part: Part) -> Section | None:
    if part.kind != "node" or not part.has("knexfile.js", "knexfile.ts", "knexfile.mjs"):
        return None
    return _tool(part, (), ("npx", "knex", "migrate:latest"),
                 ("npx", "knex", "migrate:currentVersion"), "Knex")  # fmt: skip


def _node_query(part: Part, sql: str) -> tuple[str, ...]:
    """Return a command that prints one value, by the driver that the part has; before the first
    migration there is no table, and so no head."""
    if part.depends_on("postgres") and not part.depends_on("pg"):
        script = (
            "const s=require('postgres')(process.env.DB_URL);"
            f"s.unsafe(`{sql}`).then(r=>r,()=>[])"
            ".then(r=>{console.log(Object.values(r[0]??{})[0]??'');return s.end()})"
        )
    else:
        script = (
            "const {Client}=require('pg');"
            "const c=new Client({connectionString:process.env.DB_URL});"
            f"c.connect().then(()=>c.query(`{sql}`).then(r=>r.rows,()=>[]))"
            ".then(r=>{console.log(Object.values(r[0]??{})[0]??'');return c.end()})"
        )
    return ("node", "-e", script)


def _tool(
    part: Part, files: tuple[str, ...], migrate: tuple[str, ...], head: tuple[str, ...], named: str
) -> Section:
    keys: dict[str, Value] = {"folder": part.folder, "migrate": migrate, "head": head}
    return Section(
        heading="[database]",
        keys={**({"files": files} if files else {}), **keys},
        told=f"{named} found. Both commands find the database in DB_URL.",
    )
