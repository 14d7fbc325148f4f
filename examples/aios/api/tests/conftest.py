import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from cluster import throwaway_cluster
from fastapi.testclient import TestClient

from aios.app import create_app
from aios.settings import Settings, load_settings

API_FOLDER = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def db_url() -> Iterator[str]:
    """Give a database that we may fill: the one in `DB_URL`, else one of our own."""
    given = os.environ.get("DB_URL")
    if given:
        yield given
    else:
        with throwaway_cluster() as address:
            yield address


@pytest.fixture(scope="session")
def alembic_config(db_url: str) -> Iterator[Config]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DB_URL", db_url)
        yield Config(API_FOLDER / "alembic.ini")


@pytest.fixture(scope="session")
def migrated_db_url(db_url: str, alembic_config: Config) -> str:
    command.upgrade(alembic_config, "head")
    return db_url


@pytest.fixture
def settings(migrated_db_url: str) -> Settings:
    return load_settings({"NODE_ENV": "test", "DB_URL": migrated_db_url, "SHIPWAY_RELEASE": "r7"})


@pytest.fixture
def stranger(settings: Settings) -> Iterator[TestClient]:
    """Somebody who is not signed in."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def sign_up(stranger: TestClient) -> Callable[[], TestClient]:
    """Register a new person and return a client with their session."""

    def register() -> TestClient:
        credentials = {"email": f"{uuid4().hex}@example.com", "password": "correct horse"}
        token = stranger.post("/accounts", json=credentials).json()["token"]
        return TestClient(stranger.app, headers={"Authorization": f"Bearer {token}"})

    return register


@pytest.fixture
def ada(sign_up: Callable[[], TestClient]) -> TestClient:
    return sign_up()


@pytest.fixture
def bob(sign_up: Callable[[], TestClient]) -> TestClient:
    return sign_up()
