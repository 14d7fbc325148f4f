"""The shape of the house: what no linter knows of it."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = ROOT / "src" / "shipway"

LONGEST_MODULE = 400
LONGEST_SCRIPT = 400

BANNED_NAMES = {"utils", "helpers", "common", "manager", "service", "base", "core"}
"""A name that says nothing gathers everything."""

CONTEXTS = (
    "access", "builds", "database", "edge", "environments", "health", "releases", "runtime",
    "updates",
)  # fmt: skip
"""Each has its own PostgreSQL schema, named after it."""


def modules() -> list[pathlib.Path]:
    return sorted(SOURCES.rglob("*.py"))


def named(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(), ids=named)
def test_a_module_stays_short(path: pathlib.Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_MODULE, f"{named(path)} has {lines} lines: give half of it a name"


@pytest.mark.parametrize("path", modules(), ids=named)
def test_a_module_has_a_telling_name(path: pathlib.Path) -> None:
    parts = {path.stem, *path.relative_to(SOURCES).parts[:-1]}
    assert not parts & BANNED_NAMES, f"{named(path)}: name it after what it does"


@pytest.mark.parametrize("path", modules(), ids=named)
def test_a_module_says_what_it_is_for(path: pathlib.Path) -> None:
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree), f"{named(path)} has no docstring"


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_says_what_it_is_for(context: str) -> None:
    tree = ast.parse((SOURCES / context / "__init__.py").read_text())
    assert ast.get_docstring(tree), f"{context} has no docstring: what is it for?"


def test_no_module_waits_to_be_written() -> None:
    waiting = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [named(path) for path in modules() if waiting.search(path.read_text())]
    assert not found, "write it now, or leave it out"


def statements(context: str) -> Iterator[tuple[pathlib.Path, str]]:
    for path in sorted((SOURCES / context).rglob("*.sql")):
        without_comments = re.sub(r"--[^\n]*", "", path.read_text())
        yield path, re.sub(r"'[^']*'", "''", without_comments)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_queries_of_a_context_name_its_own_schema_only(context: str) -> None:
    """Contexts never read one another's tables: a workflow asks one and tells the other."""
    others = "|".join(set(CONTEXTS) - {context} | {"dbos", "public"})
    for path, sql in statements(context):
        foreign = re.findall(
            rf"\b(?:from|join|into|update|table)\s+((?:{others})\.\w+)", sql, re.IGNORECASE
        )
        assert not foreign, f"{named(path)} names {foreign}"


def test_a_migration_makes_tables_of_one_schema() -> None:
    for path in sorted((SOURCES / "migrations").glob("*.sql")):
        sql = re.sub(r"--[^\n]*", "", path.read_text())
        created = re.findall(r"create\s+(?:unlogged\s+)?table\s+(?:if not exists\s+)?(\w+)\.", sql)
        assert len(set(created)) <= 1, f"{named(path)} makes tables of {sorted(set(created))}"


def test_the_scripts_stay_short() -> None:
    for path in (ROOT / "dev", ROOT / ".ci" / "run"):
        assert len(path.read_text().splitlines()) <= LONGEST_SCRIPT
        assert path.stat().st_mode & 0o111, f"{named(path)} cannot be run"
