"""What a Python server is made of, read from what its folder holds."""

from __future__ import annotations

import pathlib
import zipfile

import pytest

from shipway.builds.box import python_server
from shipway.builds.box.program import StepFailed
from shipway.builds.box.python_server import Begin


def test_a_package_says_what_builds_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["hatchling"]\n')
    assert python_server._builders(tmp_path) == ["hatchling"]


@pytest.mark.parametrize("managed", ["[tool.uv]\npackage", "[tool.poetry]\npackage-mode"])
def test_a_project_that_is_no_package_is_not_built(tmp_path: pathlib.Path, managed: str) -> None:
    text = f'{managed} = false\n[build-system]\nrequires = ["poetry-core"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert python_server._builders(tmp_path) == []


def test_a_broken_project_is_said_to_be_broken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(StepFailed, match=r"pyproject\.toml is not valid"):
        python_server._builders(tmp_path)


def wheel(folder: pathlib.Path, *names: str) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "x-1-py3-none-any.whl", "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return folder


def own_files(tmp_path: pathlib.Path, *paths: str) -> list[str]:
    folder = tmp_path / "server"
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    wheels = wheel(tmp_path / "wheels", "alembic/__init__.py", "six.py")
    site = python_server._own_files(folder, wheels, tmp_path / "site")
    return sorted(str(p.relative_to(site)) for p in site.rglob("*") if p.is_file())


def test_what_is_beside_the_modules_is_served_too(tmp_path: pathlib.Path) -> None:
    found = own_files(
        tmp_path, "main.py", "app/__init__.py", "templates/a.html", "app/static/a.css", "VERSION"
    )
    assert found == [
        "VERSION",
        "app/__init__.py",
        "app/static/a.css",
        "main.py",
        "templates/a.html",
    ]


def test_tests_hidden_files_and_other_parts_are_not_served(tmp_path: pathlib.Path) -> None:
    found = own_files(
        tmp_path, "main.py", "tests/test_x.py", ".venv/x.py", "web/package.json", "web/app.js"
    )
    assert found == ["main.py"]


def test_a_folder_of_migrations_does_not_hide_the_package_of_its_name(
    tmp_path: pathlib.Path,
) -> None:
    assert own_files(tmp_path, "main.py", "alembic/env.py", "alembic/versions/1.py") == ["main.py"]


@pytest.mark.parametrize("path", ["six.py", "alembic/__init__.py"])
def test_two_modules_of_one_name_are_refused(tmp_path: pathlib.Path, path: str) -> None:
    with pytest.raises(StepFailed, match="called like a package that the server needs: rename it"):
        own_files(tmp_path, path)


@pytest.mark.parametrize("module", ["app", "app.server"])
def test_what_starts_the_server_must_be_in_it(tmp_path: pathlib.Path, module: str) -> None:
    server = tmp_path / "server.pyz"
    with zipfile.ZipFile(server, "w") as archive:
        archive.writestr("site-packages/app/__init__.py", "")
        archive.writestr("site-packages/app/server.py", "")
    python_server._check_begin(server, Begin(entry=f"{module}:main"))
    python_server._check_begin(server, Begin(module=module))
    python_server._check_begin(server, Begin(module="http.server"))
    python_server._check_begin(server, Begin())
    other = module.replace("app", "other")
    with pytest.raises(StepFailed, match="correct `entry`"):
        python_server._check_begin(server, Begin(entry=f"{other}:main"))
    with pytest.raises(StepFailed, match=f"no module {other}: add it to what the server needs"):
        python_server._check_begin(server, Begin(module=other))
