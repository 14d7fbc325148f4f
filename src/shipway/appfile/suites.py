"""The tests that a repository has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shipway.appfile import sections
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part


def end_to_end(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that drive a browser."""
    return [part for part in parts if part.depends_on("@playwright/test", "cypress")]


def tests(used: Sequence[Part]) -> Iterator[Section]:
    """Return the suites: types and unit tests for each push, end-to-end tests for staging."""
    for part in used:
        yield from _node_tests(part) if part.kind == "node" else _python_tests(part)


def _node_tests(part: Part) -> Iterator[Section]:
    run = ("npm", "run")  # it runs the scripts of any package manager, and is always there
    for script in ("typecheck", "type-check", "check:types", "lint", "test", "test:unit"):
        told = part.scripts.get(script, "")
        if told and "no test specified" not in told and not _is_browser(told):
            yield _suite("fast", part, script, (*run, script))
    if "test:integration" in part.scripts:
        yield _suite("full", part, "test:integration", (*run, "test:integration"))
    for script in ("e2e", "test:e2e", "test"):
        if _is_browser(part.scripts.get(script, "")):
            yield _suite("e2e", part, script, (*run, script))
            return


def _is_browser(script: str) -> bool:
    return "playwright" in script or "cypress" in script


def _python_tests(part: Part) -> Iterator[Section]:
    if not (part.depends_on("pytest") or (part.path / "tests").is_dir()):
        return
    postgres = part.depends_on("psycopg", "psycopg2", "psycopg2-binary", "asyncpg")
    services: dict[str, Value] = {"services": ("postgres",)} if postgres else {}
    suite = _suite("fast", part, "pytest", (".venv/bin/python", "-m", "pytest"))
    yield Section(heading=suite.heading, keys={**suite.keys, **services}, told=suite.told)


def _suite(when: str, part: Part, script: str, run: tuple[str, ...]) -> Section:
    name = f"{sections.slug(part)}-{re.sub('[^a-z0-9]+', '-', script)}"[:32].strip("-")
    return Section(
        heading=f"[[tests.{when}]]", keys={"name": name, "folder": part.folder, "run": run}
    )
