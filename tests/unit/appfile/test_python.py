"""What is proposed for Python servers, from what their repositories hold."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import pytest

from shipway.appfile import model, parsing, proposal

APPS = pathlib.Path(__file__).parents[2] / "apps"


def proposed(folder: pathlib.Path) -> model.Product:
    return parsing.parse(proposal.propose(folder))


def server(root: pathlib.Path, files: Mapping[str, str]) -> model.Server:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = proposed(root).server
    assert found
    return found


def started(by: model.Server) -> str:
    assert by.start[:2] == ("python", "-m")
    return " ".join(by.start[2:])


@pytest.mark.parametrize(
    ("app", "start", "health", "head", "installs"),
    [
        (
            "fastapi-uv",
            "uvicorn ledger.main:app --host 127.0.0.1 --port {port}",
            "/healthz",
            ("python", "-m", "alembic", "current"),
            ["uv sync"],
        ),
        (
            "flask-poetry",
            "gunicorn till:app --bind 127.0.0.1:{port}",
            "/health",
            (),
            ["uv venv", "poetry export", "uv pip"],
        ),
        (
            "django-pip-tools",
            "gunicorn shop.wsgi:application --bind 127.0.0.1:{port}",
            "/health",
            ("python", "manage.py", "shell"),
            ["uv venv", "uv pip"],
        ),
        (
            "starlette-plain",
            "uvicorn app:app --host 127.0.0.1 --port {port}",
            "/health",
            ("python", "migrate.py", "head"),
            ["uv venv", "uv pip"],
        ),
    ],
)
def test_a_strangers_server_is_understood(
    app: str, start: str, health: str, head: tuple[str, ...], installs: list[str]
) -> None:
    product = proposed(APPS / app)
    assert product.server
    assert started(product.server) == start
    assert product.server.health == health
    assert (product.database.head[: len(head)] if product.database else ()) == head
    assert [" ".join(step.run[:2]) for step in product.install] == installs


FASTAPI = "from fastapi import FastAPI\napp: FastAPI = FastAPI()\n"


@pytest.mark.parametrize(
    ("files", "start"),
    [
        (
            {"requirements.txt": "fastapi[standard]\n", "api/service.py": FASTAPI},
            "uvicorn api.service:app --host 127.0.0.1 --port {port}",
        ),
        (
            {"requirements.txt": "fastapi\nhypercorn\n", "src/shop/web.py": FASTAPI},
            "hypercorn shop.web:app --bind 127.0.0.1:{port}",
        ),
        (
            {"requirements.txt": "flask\nwaitress\n", "wsgi.py": "server = Flask(__name__)\n"},
            "waitress --listen=127.0.0.1:{port} wsgi:server",
        ),
        (
            {"requirements.txt": "Django\ndaphne\n", "site/asgi.py": "", "site/wsgi.py": ""},
            "daphne -b 127.0.0.1 -p {port} site.asgi:application",
        ),
        # Nothing there runs it; the comment above the section says what to add.
        (
            {"requirements.txt": "flask\n", "app.py": "app = Flask(__name__)\n"},
            "gunicorn app:app --bind 127.0.0.1:{port}",
        ),
        # What a test makes is not what is served.
        (
            {"requirements.txt": "uvicorn\nstarlette\n", "tests/a.py": "app = Starlette()\n",
             "b/c/main.py": "api = Starlette()\n"},
            "uvicorn b.c.main:api --host 127.0.0.1 --port {port}",
        ),
    ],
)  # fmt: skip
def test_a_server_is_started_by_what_it_depends_on(
    tmp_path: pathlib.Path, files: Mapping[str, str], start: str
) -> None:
    assert started(server(tmp_path, files)) == start


def test_a_script_that_serves_goes_before_an_application(tmp_path: pathlib.Path) -> None:
    project = (
        '[project]\nname = "shop"\ndependencies = ["fastapi", "uvicorn"]\n'
        '[project.scripts]\nimport-prices = "shop.prices:main"\nserve = "shop.main:run"\n'
    )
    files = {"pyproject.toml": project, "shop/main.py": FASTAPI}
    assert server(tmp_path, files).entry == "shop.main:run"
    files["pyproject.toml"] = project.replace("serve =", "dump =")
    assert started(server(tmp_path, files)).startswith("uvicorn shop.main:app ")


def test_requirements_in_a_folder_are_named(tmp_path: pathlib.Path) -> None:
    files = {
        "requirements/base.txt": "django==5.2\n",
        "requirements/production.txt": "-r base.txt\ngunicorn==23.0.0\n",
        "requirements/local.txt": "-r base.txt\npytest==9.0.0\n",
        "site/wsgi.py": "",
    }
    assert server(tmp_path, files).requirements == "requirements/production.txt"
    install = proposed(tmp_path).install[-1]
    assert install.run[-4:] == ("-r", "requirements/production.txt", "-r", "requirements/local.txt")
    assert install.inputs == ("requirements",)


def test_a_project_in_a_workspace_is_installed_where_its_lock_file_is(
    tmp_path: pathlib.Path,
) -> None:
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["backend"]\n',
        "uv.lock": "",
        "backend/pyproject.toml": (
            '[project]\nname = "app"\ndependencies = ["fastapi[standard]"]\n'
            '[dependency-groups]\ndev = ["pytest"]\n'
        ),
        "backend/app/main.py": FASTAPI,
    }
    assert server(tmp_path, files).folder == "backend"
    product = proposed(tmp_path)
    (install,) = product.install
    assert (install.folder, install.run[:2]) == (".", ("uv", "sync"))
    assert product.tests.fast[0].run[0] == "../.venv/bin/python"


def test_tests_without_a_program_to_run_them_are_only_told_of(tmp_path: pathlib.Path) -> None:
    files = {"requirements.txt": "flask\n", "app.py": "app = Flask(1)\n", "tests/test_a.py": ""}
    server(tmp_path, files)
    assert proposed(tmp_path).tests.fast == ()
    assert "CHECK: there is a folder tests, but pytest" in proposal.propose(tmp_path)


def test_the_parts_of_an_address_are_told_apart(tmp_path: pathlib.Path) -> None:
    example = "POSTGRES_USER=postgres\nDB_PASSWORD=x\nPOSTGRES_SERVER=localhost\nDB_POOL=5\n"
    files = {"requirements.txt": "flask\n", "app.py": "app = Flask(1)\n", ".env.example": example}
    server(tmp_path, files)
    found = {name: one.form for name, one in proposed(tmp_path).variables.items()}
    assert found == {
        "POSTGRES_USER": "{user}",
        "DB_PASSWORD": "{password}",
        "POSTGRES_SERVER": "{host}",
        "DB_POOL": "",
    }
