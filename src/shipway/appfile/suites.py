"""The tests that a repository has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipway.appfile import detection, python, sections
from shipway.appfile.sections import Section
from shipway.appfile.survey import Part


def end_to_end(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that drive a browser, but for pages of their own that are no Expo app."""
    return [
        part
        for part in parts
        if part.depends_on("@playwright/test", "cypress")
        and (part.depends_on("expo") or not part.depends_on("vite", "next", "react-scripts"))
    ]


def tests(parts: Sequence[Part], used: Sequence[Part]) -> Iterator[Section]:
    """Return the suites: types and unit tests for each push, end-to-end tests for staging."""
    for part in used:
        if part.kind == "node":
            yield from _node_tests(part)
        else:
            yield from python.tests(part, detection.locked(parts, part))


def _node_tests(part: Part) -> Iterator[Section]:
    run = ("npm", "run")  # it runs the scripts of any package manager, and is always there
    for script in ("typecheck", "type-check", "check:types", "lint", "test", "test:unit"):
        told = part.scripts.get(script, "")
        if told and "no test specified" not in told and not _is_browser(told):
            yield sections.suite("fast", part, script, (*run, script))
    if "test:integration" in part.scripts:
        yield sections.suite("full", part, "test:integration", (*run, "test:integration"))
    for script in ("e2e", "test:e2e", "test"):
        if _is_browser(part.scripts.get(script, "")):
            yield sections.suite("e2e", part, script, (*run, script))
            return


def _is_browser(script: str) -> bool:
    return "playwright" in script or "cypress" in script
