import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from conftest import API_FOLDER
from fastapi.testclient import TestClient

from aios.app import create_app
from aios.settings import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture
def empty_db_url(db_url: str) -> Iterator[str]:
    """Give an empty schema of its own, as good as a fresh database and allowed to any owner."""
    schema = f"scratch_{uuid4().hex}"
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            separator = "&" if "?" in db_url else "?"
            yield f"{db_url}{separator}options={quote(f'-c search_path={schema}')}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


def table_names(db_url: str) -> set[str]:
    with psycopg.connect(db_url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {name for (name,) in rows}


def run_as_shipway_does(db_url: str, *arguments: str) -> str:
    """Run a module in the folder of the migrations, with the packages of the server importable."""
    environ = {**os.environ, "DB_URL": db_url, "PYTHONPATH": str(API_FOLDER / "src")}
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=API_FOLDER,
        env=environ,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return run.stdout


def test_the_commands_of_shipway_migrate_and_print_the_head(empty_db_url: str) -> None:
    assert run_as_shipway_does(empty_db_url, "aios.schema_head") == "\n"
    run_as_shipway_does(empty_db_url, "alembic", "upgrade", "head")
    assert run_as_shipway_does(empty_db_url, "aios.schema_head") == "0002\n"


def test_migrations_create_what_the_models_say(alembic_config: Config, migrated_db_url: str) -> None:
    assert migrated_db_url
    command.check(alembic_config)


def test_migrations_go_down_again(
    alembic_config: Config, empty_db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_URL", empty_db_url)
    command.upgrade(alembic_config, "head")
    assert table_names(empty_db_url) == {"accounts", "notes", "tasks", "events", "alembic_version"}
    command.downgrade(alembic_config, "base")
    assert table_names(empty_db_url) == {"alembic_version"}


def test_the_server_never_creates_a_table(empty_db_url: str) -> None:
    with TestClient(create_app(load_settings({"NODE_ENV": "test", "DB_URL": empty_db_url}))) as client:
        answer = client.get("/health")
    assert answer.status_code == 503
    assert (
        answer.json()["checks"]["database"]["detail"] == "The database answers, but no migration was applied."
    )
    assert table_names(empty_db_url) == set()
