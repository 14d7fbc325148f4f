"""The tools in Node that change a schema, as far as Shipway knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipway.appfile import survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

DRIVERS = ("pg", "postgres", "@neondatabase/serverless")
_POSTGRES = re.compile(r"postgres(?:ql)?|pg", re.IGNORECASE)
_IMPORT = re.compile(r"(?:from|require\(|import)\s*[\"']((?:@[\w.-]+/)?[\w.-]+)")
_LOCAL = re.compile(r"(?:from|require\(|import)\s*[\"'](\.{1,2}/[\w./-]+)")
_CONFIGS = tuple(f"drizzle.config.{suffix}" for suffix in ("ts", "js", "mjs", "cjs"))
_KNEXFILES = tuple(f"knexfile.{suffix}" for suffix in ("js", "ts", "mjs", "cjs"))

SHAPE = (
    "select md5(string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable), ','"
    " order by table_name, column_name)) from information_schema.columns"
    " where table_schema = 'public'"
)
"""A digest of all columns: the head of a schema to which no migrations lead."""


def database(part: Part) -> Section | None:
    """Return the migrations of a part, if it has a tool that is known."""
    if part.kind != "node":
        return None
    tools = (_drizzle, _prisma, _knex, _node_pg_migrate, _script)
    return next((found for tool in tools if (found := tool(part))), None)


def _drizzle(part: Part) -> Section | None:
    config = part.has(*_CONFIGS)
    text = survey.read_text(part.path / config) if config else ""
    if not config or not _POSTGRES.search(
        _setting(text, "dialect") or _setting(text, "driver") or "pg"
    ):
        return None
    out = _path(_setting(text, "out") or "drizzle")
    if (part.path / out / "meta" / "_journal.json").is_file():
        head = "select hash from drizzle.__drizzle_migrations order by id desc limit 1"
        keys = _keys(part, (config, out), ("drizzle-kit", "drizzle-orm", *_imports(part, config)),
                     ("drizzle-kit", "migrate"), head)  # fmt: skip
        return _section(keys, "Drizzle found.")
    schemas = tuple(
        dict.fromkeys(_path(found).split("*")[0].rstrip("/") for found in _schemas(text))
    )
    files = (config, *(schema.split("/")[0] for schema in schemas))
    packages = ("drizzle-kit", "drizzle-orm", *(name for f in files for name in _imports(part, f)))
    keys = _keys(part, files, packages, ("drizzle-kit", "push"), SHAPE)
    return _section(
        keys,
        "Drizzle found, without migrations: the schema is pushed as it is in the sources.\n"
        "What would lose data is refused, since nobody is there to be asked: then make migrations\n"
        "by `drizzle-kit generate`, and migrate by `drizzle-kit migrate`.",
    )


def _prisma(part: Part) -> Section | None:
    schema = part.has("prisma/schema.prisma", "schema.prisma")
    if not schema or not re.search(
        r"provider\s*=\s*\"(?:postgresql|cockroachdb)\"", survey.read_text(part.path / schema)
    ):
        return None
    config = part.has("prisma.config.ts", "prisma.config.js", "prisma.config.mjs")
    files = ("prisma" if "/" in schema else schema, *((config,) if config else ()))
    head = "select migration_name from _prisma_migrations where finished_at is not null order by finished_at desc limit 1"
    packages = ("prisma", *(_imports(part, config) if config else ()))
    keys = _keys(part, files, packages, ("prisma", "migrate", "deploy"), head)
    told = "Prisma found." + (
        "" if part.depends_on(*DRIVERS) else "\nCHECK: reading the head needs the package pg."
    )
    return _section(keys, told)


def _knex(part: Part) -> Section | None:
    config = part.has(*_KNEXFILES)
    if not config:
        return None
    text = survey.read_text(part.path / config)
    folder = _path(_setting(text, "directory") or "migrations")
    files = tuple(dict.fromkeys((config, "package.json", folder)))
    packages = ("knex", *_imports(part, config), *_typescript(part, config))
    head = "select name from knex_migrations order by id desc limit 1"
    return _section(_keys(part, files, packages, ("knex", "migrate:latest"), head), "Knex found.")


def _node_pg_migrate(part: Part) -> Section | None:
    if not part.depends_on("node-pg-migrate"):
        return None
    folder = next((f for f in ("migrations", "db/migrations") if (part.path / f).is_dir()), "")
    if not folder:
        return None
    head = "select name from pgmigrations order by run_on desc, id desc limit 1"
    migrate = ("node-pg-migrate", "up", "-m", folder)
    files = ("package.json", folder)
    return _section(
        _keys(part, files, ("node-pg-migrate",), migrate, head), "node-pg-migrate found."
    )


def _script(part: Part) -> Section | None:
    """A program of the repository's own, which a script of package.json calls."""
    for name in ("db:migrate", "migrate", "migrate:up", "migration:run"):
        told = re.fullmatch(
            r"(node|tsx) ((?:[\w.-]+/)*[\w.-]+\.[cm]?[jt]s)", part.scripts.get(name, "")
        )
        if told and words.FOLDER.fits(told[2]) and part.has(told[2]):
            folders = [
                f for f in ("migrations", "db/migrations", "sql") if (part.path / f).is_dir()
            ]
            files = tuple(dict.fromkeys(("package.json", told[2].split("/")[0], *folders)))
            packages = (*_imports(part, told[2]), *(("tsx",) if told[1] == "tsx" else ()))
            keys = _keys(part, files, packages, (told[1], told[2]), SHAPE)
            return _section(keys, f"`npm run {name}` changes the schema.")
    return None


def _keys(
    part: Part,
    files: tuple[str, ...],
    packages: tuple[str, ...],
    migrate: tuple[str, ...],
    head: str,
) -> dict[str, Value]:
    driver = part.depends_on(*DRIVERS) or "pg"
    return {
        "folder": part.folder,
        "by_port": True,
        # What is not here, or lies outside, would be refused: then all of the folder comes along.
        "files": tuple(
            f for f in dict.fromkeys(files) if words.FOLDER.fits(f) and (part.path / f).exists()
        ),
        "packages": tuple(dict.fromkeys((*packages, driver))),
        "migrate": migrate,
        "head": _query(driver, head),
    }


def _section(keys: dict[str, Value], told: str) -> Section:
    return Section(
        heading="[database]", keys=keys, told=f"{told} Both commands find the database in DB_URL."
    )


def _query(driver: str, sql: str) -> tuple[str, ...]:
    """Return a command that prints one value; before the first migration there is no table, and
    so no head."""
    if driver == "postgres":
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


def _setting(text: str, name: str) -> str:
    """Return the text that a configuration gives to a name."""
    found = re.search(rf"\b{name}\s*:\s*[\"'`]([^\"'`]+)[\"'`]", text)
    return found[1] if found else ""


def _schemas(text: str) -> list[str]:
    found = re.search(r"\bschema\s*:\s*(\[[^\]]*\]|[\"'`][^\"'`]+[\"'`])", text)
    return re.findall(r"[\"'`]([^\"'`]+)[\"'`]", found[1]) if found else []


def _path(said: str) -> str:
    """Return a path of a configuration as one below the part's folder."""
    return said.removeprefix("./").rstrip("/")


def _imports(part: Part, name: str) -> tuple[str, ...]:
    """Return the installed packages that a file, or the files of a folder, import."""
    return tuple(dict.fromkeys(_imported(part, name)))


def _imported(part: Part, name: str) -> Iterator[str]:
    place = part.path / name
    sources = sorted(place.rglob("*.[jt]s")) if place.is_dir() else [place]
    for source in sources[:100]:
        names = _IMPORT.findall(survey.read_text(source))
        yield from (found for found in names if found in part.dependencies)


def _typescript(part: Part, config: str) -> tuple[str, ...]:
    """Return what reads TypeScript for a tool that cannot."""
    found = part.depends_on("tsx", "ts-node")
    return (found, "typescript") if config.endswith(".ts") and found else ()
