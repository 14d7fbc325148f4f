from __future__ import annotations

import dataclasses
import pathlib
import tomllib
from typing import Any

import jsonschema
import pytest

from shipway.appfile import model, parsing, reference

ROOT = pathlib.Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
MINIMAL = {"name": "a", "client": {}}


def is_valid(document: Any) -> bool:
    return jsonschema.Draft202012Validator(reference.schema()).is_valid(document)


def test_the_reference_in_the_docs_is_current() -> None:
    told = "run: python -m shipway.appfile docs/reference"
    assert (REFERENCE / "shipway.schema.json").read_text() == reference.schema_text(), told
    assert (REFERENCE / "shipway-toml.md").read_text() == reference.page(), told


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(reference.schema())


FILES = sorted([*ROOT.glob("examples/*/shipway.toml"), *ROOT.glob("tests/apps/*/shipway.toml")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_the_examples_satisfy_the_schema_and_the_parser(path: pathlib.Path) -> None:
    text = path.read_text()
    assert parsing.parse(text).environments
    assert is_valid(tomllib.loads(text))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {**MINIMAL, "name": "Not A Name"},
        {**MINIMAL, "clients": {}},
        {**MINIMAL, "client": {"platforms": ["windows"]}},
        {**MINIMAL, "variables": {"lower": {}}},
        {**MINIMAL, "environments": {"prod": {"domain": "a.b"}}},
        {**MINIMAL, "environments": {"staging": {"domain": "a.b", "policy": {"instances": "2"}}}},
    ],
)
def test_the_schema_refuses_what_the_parser_refuses(document: Any) -> None:
    assert is_valid(MINIMAL)
    assert not is_valid(document)


def test_every_section_and_key_has_a_sentence() -> None:
    made = reference.schema()
    for kind in (made, *made["$defs"].values()):
        assert kind["description"]
        for name, field in kind["properties"].items():
            assert field.get("description"), name


def test_the_page_has_every_key() -> None:
    page = reference.page()
    for kind in (model.Server, model.PolicyOverrides, model.EnvironmentFile):
        for name in (field.name for field in dataclasses.fields(kind)):
            assert f"| `{name}` |" in page
