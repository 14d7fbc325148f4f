"""Which Python a server asks for."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest

from shipway.builds.box import python_version
from shipway.builds.box.program import StepFailed

HERE = (3, 11, 2)


@pytest.mark.parametrize(
    "demand",
    [">=3.11", ">=3.10,<3.13", ">= 3.9, != 3.10.*", "~=3.10", "~=3.11.1", "^3.10", "~3.11", "3.11",
     "3.11.9", "==3.11.*", "<=3.12", ">3.10", "^2.7 || ^3.10", "pypy", "cpython-3.11"],
)  # fmt: skip
def test_these_admit_the_machines_python(demand: str) -> None:
    assert python_version.admits(demand, HERE)


@pytest.mark.parametrize(
    "demand",
    [">=3.12", ">=3.10,<3.11", "~=3.12", "~=3.11.4", "^3.12", "^2.7", "~3.10", "3.13", "==3.12.*",
     "!=3.11.*", "<=3.11", "^2.7 || ^3.12"],
)  # fmt: skip
def test_these_do_not(demand: str) -> None:
    assert not python_version.admits(demand, HERE)


FUTURE = f"{sys.version_info.major}.{sys.version_info.minor + 1}"


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        (
            "pyproject.toml",
            f'[project]\nrequires-python = ">={FUTURE}"\n',
            "project.requires-python",
        ),
        (
            "pyproject.toml",
            f'[tool.poetry.dependencies]\npython = ">={FUTURE}"\n',
            "tool.poetry.dependencies.python",
        ),
        (".python-version", f"{FUTURE}\n", ".python-version"),
    ],
)
def test_a_server_for_another_python_is_refused_with_place_and_remedy(
    tmp_path: pathlib.Path, file: str, text: str, place: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(StepFailed, match=rf"{FUTURE} \(.*{re.escape(place)}.*Widen what it asks"):
        python_version.check(tmp_path)


def test_the_developers_own_interpreter_does_not_narrow_what_the_project_admits(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / ".python-version").write_text(f"{FUTURE}\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.9"\n')
    python_version.check(tmp_path)


def test_who_asks_for_nothing_gets_what_there_is(tmp_path: pathlib.Path) -> None:
    python_version.check(tmp_path)
