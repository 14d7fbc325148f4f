"""What a Python server needs, read from what its folder holds."""

from __future__ import annotations

import pathlib
import zipfile

import pytest

from shipway.builds.box import python_server
from shipway.builds.box.program import StepFailed


def test_requirements_are_taken_as_they_are(tmp_path: pathlib.Path) -> None:
    (tmp_path / "requirements.txt").write_text("psycopg==3.3.9\n")
    assert not python_server._requirements(tmp_path, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "psycopg==3.3.9\n"


def test_without_a_lock_the_project_says_what_it_needs(tmp_path: pathlib.Path) -> None:
    project = '[project]\nname = "x"\ndependencies = ["psycopg[binary]>=3.3", "uvicorn"]\n'
    (tmp_path / "pyproject.toml").write_text(project)
    assert not python_server._requirements(tmp_path, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "psycopg[binary]>=3.3\nuvicorn\n"
    assert python_server._builders(tmp_path) == []


def test_a_package_says_what_builds_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["hatchling"]\n')
    assert python_server._builders(tmp_path) == ["hatchling"]


def test_a_folder_without_any_of_it_needs_nothing(tmp_path: pathlib.Path) -> None:
    assert not python_server._requirements(tmp_path, tmp_path / "out")
    assert (tmp_path / "out").read_text() == ""


def test_a_broken_project_is_said_to_be_broken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(StepFailed, match=r"pyproject\.toml is not valid"):
        python_server._builders(tmp_path)


def test_modules_and_packages_are_served_and_nothing_else(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "server"
    for path in ("main.py", "app/__init__.py", "app/x.py", "tests/test_x.py", ".venv/x.py", "a.md"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    site = python_server._own_modules(folder, tmp_path / "site")
    found = sorted(str(p.relative_to(site)) for p in site.rglob("*.*"))
    assert found == ["app/__init__.py", "app/x.py", "main.py"]


@pytest.mark.parametrize("entry", ["app:main", "app.server:main"])
def test_the_entry_must_be_in_the_server(tmp_path: pathlib.Path, entry: str) -> None:
    server = tmp_path / "server.pyz"
    with zipfile.ZipFile(server, "w") as archive:
        archive.writestr("site-packages/app/__init__.py", "")
        archive.writestr("site-packages/app/server.py", "")
    python_server._check_entry(server, entry)
    with pytest.raises(StepFailed, match="correct `entry`"):
        python_server._check_entry(server, entry.replace("app", "other"))
