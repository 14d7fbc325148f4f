from fastapi.testclient import TestClient

from aios import __version__
from aios.greeting import GREETING


def test_version_and_front_page_say_what_is_running(stranger: TestClient) -> None:
    answer = stranger.get("/version").json()
    assert answer == {"product": "AIOS", "greeting": GREETING, "version": __version__, "release": "r7"}
    assert stranger.get("/").json() == answer


def test_only_the_web_client_may_call_from_a_browser(stranger: TestClient) -> None:
    allowed = stranger.get("/version", headers={"Origin": "https://localhost:5000"})
    assert allowed.headers["access-control-allow-origin"] == "https://localhost:5000"
    refused = stranger.get("/version", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
