"""The program of the sandbox, and how far its words are believed."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.builds import boxed
from shipway.builds.box import recipes
from shipway.builds.model import BuildStep, StepKind
from shipway.kit import errors

STEP = BuildStep(name="server", kind=StepKind.PYTHON_SERVER, produces=("server",))
GOOD = {"artifacts": {"server": "server.pyz"}, "facts": {"python": "3.11"}, "trees": []}


def test_the_program_is_the_same_bytes_each_time() -> None:
    assert boxed.program() == boxed.program()
    names = zipfile.ZipFile(io.BytesIO(boxed.program())).namelist()
    assert names == sorted(names)
    assert {"__main__.py", "box/__init__.py", "box/step.py"} <= set(names)


def test_the_program_reads_what_the_worker_describes() -> None:
    step = BuildStep(
        name="test api",
        kind=StepKind.TEST,
        folder="api",
        argv=("pytest",),
        env={"A": "b"},
        services=("postgres",),
    )
    described = boxed.described(step, inputs=["api"], brought=[])
    spec = recipes.read_spec(described.decode())
    assert (spec.kind, spec.folder, spec.argv, spec.env) == ("test", "api", ["pytest"], {"A": "b"})
    assert set(recipes.RECIPES) == set(StepKind)


def test_a_good_result_is_read() -> None:
    left = boxed.read(json.dumps(GOOD), STEP)
    assert left.artifacts == {"server": "server.pyz"}
    assert left.facts == {"python": "3.11"}
    assert not left.sentence


def test_a_failure_is_read_without_artifacts() -> None:
    assert boxed.read(json.dumps({"sentence": "It broke."}), STEP).sentence == "It broke."


@pytest.mark.parametrize(
    "change",
    [
        {"artifacts": {}},
        {"artifacts": {"server": "../../etc/passwd"}},
        {"artifacts": {"server": "/etc/passwd"}},
        {"artifacts": {"server": "server.pyz", "web.production": "server.pyz"}},
        {"artifacts": ["server"]},
        {"facts": {"hermes": 98}},
        {"facts": {"x\n": "y"}},
        {"facts": {str(n): "y" for n in range(500)}},
        {"trees": ["../outside"]},
        {"trees": ["/etc"]},
        {"trees": ["a/../../b"]},
        {"trees": "node_modules"},
        {"trees": [None]},
    ],
)
def test_a_result_that_the_program_would_not_write_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(errors.Failed, match="cannot be read"):
        boxed.read(json.dumps(GOOD | change), STEP)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_other_json_is_refused(found: object) -> None:
    with pytest.raises(errors.Failed):
        boxed.read(json.dumps(found), STEP)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(errors.Failed):
        boxed.read(text, STEP)
