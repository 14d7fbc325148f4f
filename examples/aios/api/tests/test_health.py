from dataclasses import replace

from fastapi.testclient import TestClient

from aios import __version__
from aios.app import create_app
from aios.settings import Settings

NOWHERE = "postgresql://app:hunter2@127.0.0.1:1/aios"


def test_a_healthy_server_reports_version_and_schema(stranger: TestClient) -> None:
    answer = stranger.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["version"], body["schema_head"]) == ("healthy", __version__, "0002")
    assert body["checks"]["database"]["status"] == "healthy"


def test_without_its_database_the_server_is_unhealthy_but_alive(settings: Settings) -> None:
    with TestClient(create_app(replace(settings, db_url=NOWHERE))) as client:
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json()["checks"]["database"]["detail"] == "The database does not answer queries."
        assert "hunter2" not in answer.text
        assert client.get("/health/live").status_code == 200


def test_without_its_database_a_request_is_told_to_come_back(settings: Settings) -> None:
    with TestClient(create_app(replace(settings, db_url=NOWHERE))) as client:
        answer = client.post("/sessions", json={"email": "ada@example.com", "password": "correct horse"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"] == "The database is not available. Try again shortly."
