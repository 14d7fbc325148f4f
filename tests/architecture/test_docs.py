"""What can be documented by a program is, and what is written by hand misses nothing."""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import pkgutil
import re
import types

import pytest

import shipway
from shipway.kit import errors

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"


def generator() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = generator().pages()


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page: str) -> None:
    written = (DOCS / "reference" / page).read_text()
    assert written == PAGES[page], "run `just docs`, and commit what it wrote"


def all_errors() -> set[type[errors.ShipwayError]]:
    for module in pkgutil.walk_packages(shipway.__path__, "shipway."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[errors.ShipwayError]] = set()
    waiting = [errors.ShipwayError]
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting += kind.__subclasses__()
    return {kind for kind in found if kind.__module__.startswith("shipway.")}


def test_every_error_is_documented() -> None:
    page = (DOCS / "reference" / "errors.md").read_text()
    for kind in all_errors():
        row = rf"^\| `{kind.__name__}` \| {kind.exit_code} \| {kind.status} \|"
        assert re.search(row, page, re.MULTILINE), (
            f"docs/reference/errors.md lacks a row for {kind.__name__} with exit code "
            f"{kind.exit_code} and status {kind.status}"
        )
        assert kind.__doc__, f"{kind.__name__} has no docstring"


def test_every_documented_error_exists() -> None:
    page = (DOCS / "reference" / "errors.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert documented == {kind.__name__ for kind in all_errors()}


def markdown() -> list[pathlib.Path]:
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("page", markdown(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_bad_day_has_its_test() -> None:
    rows = re.findall(
        r"^\|.*\|.*\|(.*)\|$", (DOCS / "reference" / "bad-days.md").read_text(), re.MULTILINE
    )
    named = [test for row in rows for test in re.findall(r"`([\w/.]+)`", row)]
    assert len(named) > 30
    assert not [test for test in named if not (ROOT / "tests" / test).exists()]


def decisions() -> list[pathlib.Path]:
    return sorted((DOCS / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", decisions(), ids=lambda path: path.stem)
def test_a_decision_says_what_enforces_it(page: pathlib.Path) -> None:
    text = page.read_text()
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert found == ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in decisions()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_setting_says_what_it_is() -> None:
    bare = re.findall(r"^\| (`\w+`) .*\|  \|$", PAGES["settings.md"], re.MULTILINE)
    assert not bare, "each setting has a sentence below it in kit/settings.py"
