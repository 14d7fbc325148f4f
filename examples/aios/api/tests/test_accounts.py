from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from fastapi.testclient import TestClient

from aios.settings import Settings
from aios.tokens import issue_token

PASSWORD = "correct horse"  # noqa: S105


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


def test_a_person_registers_and_signs_in_again(stranger: TestClient) -> None:
    email = new_email()
    assert stranger.post("/accounts", json={"email": email, "password": PASSWORD}).status_code == 201
    answer = stranger.post("/sessions", json={"email": email.upper(), "password": PASSWORD})
    assert answer.status_code == 201
    token = answer.json()["token"]
    me = stranger.get("/accounts/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["email"] == email


def test_an_address_registers_once(stranger: TestClient) -> None:
    credentials = {"email": new_email(), "password": PASSWORD}
    stranger.post("/accounts", json=credentials)
    again = stranger.post("/accounts", json=credentials)
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "There is already an account with this e-mail address.",
    }


def test_a_wrong_password_and_an_unknown_address_look_the_same(stranger: TestClient) -> None:
    email = new_email()
    stranger.post("/accounts", json={"email": email, "password": PASSWORD})
    wrong = stranger.post("/sessions", json={"email": email, "password": "wrong horse!"})
    unknown = stranger.post("/sessions", json={"email": new_email(), "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"email": "nobody"}, "email: Must be an e-mail address."),
        ({"email": "a\0b@example.com"}, "email: Must be an e-mail address."),
        ({"password": "short"}, "password: String should have at least 10 characters."),
        ({"password": None}, "password: Input should be a valid string."),
    ],
)
def test_bad_credentials_are_explained_without_repeating_them(
    stranger: TestClient, change: dict[str, str | None], detail: str
) -> None:
    answer = stranger.post("/accounts", json={"email": new_email(), "password": PASSWORD} | change)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == detail
    assert all(set(error) == {"loc", "msg", "type"} for error in answer.json()["errors"])


def test_a_token_is_signed_by_us_names_a_person_and_expires(stranger: TestClient, settings: Settings) -> None:
    secret, later = settings.jwt_secret, datetime.now(UTC) + timedelta(hours=1)
    forged = issue_token(1, "some other secret of thirty-two characters")
    expired = jwt.encode({"sub": "1", "exp": datetime.now(UTC) - timedelta(seconds=1)}, secret, "HS256")
    endless = jwt.encode({"sub": "1"}, secret, "HS256")
    unsigned = jwt.encode({"sub": "1", "exp": later}, None, "none")
    nameless = jwt.encode({"sub": "root", "exp": later}, secret, "HS256")
    departed = issue_token(2**62, secret)
    for token in (forged, expired, endless, unsigned, nameless, departed, "nonsense"):
        answer = stranger.get("/accounts/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
