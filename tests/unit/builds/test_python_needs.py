"""What a Python server needs, by the file that says it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import pytest

from shipway.builds.box import program, python_needs
from shipway.builds.box.program import StepFailed
from shipway.builds.box.python_needs import Choice, Needs

Of = Callable[..., Needs]


@pytest.fixture
def server(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "src" / "server"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def of(server: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Of:
    monkeypatch.setattr(python_needs, "SOURCES", tmp_path / "src")

    def found(**choice: object) -> Needs:
        return python_needs.of(server, Choice(**choice), tmp_path)  # type: ignore[arg-type]

    return found


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a tool was asked, which leaves one requirement where it was told to; and what was said."""
    asked: list[str] = []

    def ran(argv: Sequence[str], *_: object) -> str:
        asked.append(" ".join(argv))
        pathlib.Path(argv[-1]).write_text("flask==3.1.0\n")
        return ""

    monkeypatch.setattr(program, "run", ran)
    monkeypatch.setattr(program, "output_of", ran)
    monkeypatch.setattr(program, "say", asked.append)
    return asked


def test_requirements_are_read_where_they_are(of: Of, server: pathlib.Path) -> None:
    (server / "requirements.txt").write_text("-r base.txt\npsycopg==3.3.9\n")
    assert of() == Needs(file=server / "requirements.txt")


def test_a_file_that_is_named_goes_before_all_others(of: Of, server: pathlib.Path) -> None:
    (server / "requirements").mkdir()
    (server / "requirements" / "production.txt").write_text("django==5.2\n")
    (server / "uv.lock").touch()
    assert of(requirements="requirements/production.txt").file.name == "production.txt"
    with pytest.raises(StepFailed, match=r"other\.txt is not there: correct `requirements`"):
        of(requirements="other.txt")


def test_what_is_not_pinned_is_told_with_the_remedy(
    of: Of, server: pathlib.Path, said: list[str]
) -> None:
    (server / "requirements.txt").write_text(
        "# web\nflask>=3 # or four\n-r base.txt\npsycopg==3.3.9 \\\n    --hash=sha256:00\nrich\n"
    )
    of()
    (told,) = said
    assert "requirements.txt does not pin flask>=3 and 1 more" in told
    assert "uv pip compile --generate-hashes" in told


def test_a_lock_file_of_uv_is_exported_with_what_was_chosen(
    of: Of, server: pathlib.Path, said: list[str]
) -> None:
    (server / "uv.lock").touch()
    assert of(extras=("pg",), groups=("web",)).whole
    assert "uv export --frozen --no-default-groups" in said[0]
    assert "--extra pg --group web" in said[0]


def test_a_lock_file_further_up_is_asked_for_this_project(
    of: Of, server: pathlib.Path, said: list[str]
) -> None:
    (server.parent / "uv.lock").touch()
    with pytest.raises(StepFailed, match=r"gives no project\.name"):
        of()
    (server / "pyproject.toml").write_text('[project]\nname = "shop-api"\n')
    of()
    assert "--package shop-api" in said[0]


def test_a_lock_file_outside_of_the_sources_is_not_looked_for(of: Of, server: pathlib.Path) -> None:
    (server.parents[1] / "uv.lock").touch()
    assert of().file.read_text() == ""


def test_a_lock_file_of_poetry_is_exported_by_poetry(
    of: Of, server: pathlib.Path, said: list[str]
) -> None:
    (server / "poetry.lock").touch()
    assert of(extras=("pg", "s3"), groups=("web", "jobs")).whole
    assert said[0].startswith("poetry export --no-interaction --extras pg --extras s3")
    assert "--with web,jobs --output" in said[0]


@pytest.mark.parametrize("line", ["-e ./common", "./common", "common @ file:///box/src/common"])
def test_another_part_of_the_repository_is_refused_with_the_remedy(
    of: Of,
    server: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
) -> None:
    def exported(argv: Sequence[str], *_: object) -> str:
        pathlib.Path(argv[-1]).write_text(f"flask==3.1.0\n{line}\n")
        return ""

    monkeypatch.setattr(program, "output_of", exported)
    (server / "uv.lock").touch()
    with pytest.raises(StepFailed, match="common of this repository, and a server of kind"):
        of()


def test_without_a_lock_the_project_says_what_it_needs(
    of: Of, server: pathlib.Path, said: list[str]
) -> None:
    project = '[project]\nname = "x"\ndependencies = ["psycopg[binary]>=3.3", "uvicorn"]\n'
    (server / "pyproject.toml").write_text(project)
    assert of().file.read_text() == "psycopg[binary]>=3.3\nuvicorn\n"
    assert said == ["Nothing is locked: `uv lock` makes a uv.lock that pins every version."]


def test_a_project_of_poetry_needs_its_lock(of: Of, server: pathlib.Path) -> None:
    text = '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\nflask = "^3"\n'
    (server / "pyproject.toml").write_text(text)
    with pytest.raises(StepFailed, match="run `poetry lock` and commit the file"):
        of()


def test_a_folder_without_any_of_it_needs_nothing(of: Of) -> None:
    assert of().file.read_text() == ""
