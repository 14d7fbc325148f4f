"""The tools that change a schema, as far as Shipway knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shipway.appfile import node_tools, python, survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part


def database(parts: Sequence[Part], by: Part | None) -> Iterator[Section]:
    """Return the migration tool, if one of those that Shipway knows is there."""
    for part in parts:
        for tool in (_alembic, _django, _script, node_tools.database):
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
        "from django.db import connection; "
        "from django.db.migrations.recorder import MigrationRecorder as R; "
        "done = R(connection).applied_migrations().values(); "
        "print(max(((m.id, m.name) for m in done), default=(0, ''))[1])"
    )
    return _tool(part, (), ("python", "manage.py", "migrate", "--noinput"),
                 ("python", "manage.py", "shell", "-v", "0", "-c", last), "Django")  # fmt: skip


def _script(part: Part) -> Section | None:
    """A program of the repository's own, beside the files that it runs."""
    if part.kind != "python" or not (
        part.has("migrate.py") and (part.path / "migrations").is_dir()
    ):
        return None
    told = "CHECK: migrate.py was found. With `head` it must print the last migration applied."
    keys: dict[str, Value] = {"folder": part.folder, "files": ("migrate.py", "migrations")}
    keys |= {"migrate": ("python", "migrate.py"), "head": ("python", "migrate.py", "head")}
    return Section(heading="[database]", keys=keys, told=told)


def _tool(
    part: Part, files: tuple[str, ...], migrate: tuple[str, ...], head: tuple[str, ...], named: str
) -> Section:
    keys: dict[str, Value] = {"folder": part.folder, "migrate": migrate, "head": head}
    if python.builds_address(part):
        keys["by_port"] = True
    return Section(
        heading="[database]",
        keys={**({"files": files} if files else {}), **keys},
        told=f"{named} found. Both commands find the database in DB_URL.",
    )
