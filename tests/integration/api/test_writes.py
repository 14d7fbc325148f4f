from __future__ import annotations

import asyncio

import httpx2
import pytest
from tests.fakes.platform import Live

from shipway.access.model import Role

pytestmark = pytest.mark.anyio


async def ask(live: Live, token: str, method: str, path: str, **more: object) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    headers |= more.pop("headers", {})  # type: ignore[call-overload]
    async with httpx2.AsyncClient(base_url=live.url, trust_env=False) as http:
        return await http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


async def test_the_same_key_acts_once(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    more = {"headers": {"idempotency-key": "k1"}, "json": {"name": "cy", "role": "viewer"}}
    first = await ask(live, token, "POST", "/v1/people", **more)
    second = await ask(live, token, "POST", "/v1/people", **more)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    trail = await live.platform.audit.list(limit=10)
    assert [entry.what for entry in trail] == ["person.add"]


async def test_without_a_key_it_acts_twice(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    body = {"name": "cy", "role": "viewer"}
    assert (await ask(live, token, "POST", "/v1/people", json=body)).status_code == 201
    again = await ask(live, token, "POST", "/v1/people", json=body)
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json()["detail"] == "There is already somebody called cy."


async def test_two_at_once_act_once(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    more = {"headers": {"idempotency-key": "k1"}, "json": {"name": "cy", "role": "viewer"}}
    answers = await asyncio.gather(
        *(ask(live, token, "POST", "/v1/people", **more) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(list(await live.platform.audit.list(limit=20))) == 1


async def test_a_key_belongs_to_its_request(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    headers = {"idempotency-key": "k1"}
    for name, status in (("cy", 201), ("di", 422)):
        body = {"name": name, "role": "viewer"}
        answer = await ask(live, token, "POST", "/v1/people", headers=headers, json=body)
        assert answer.status_code == status


async def test_a_token_is_told_once_even_so(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    more = {"headers": {"idempotency-key": "k1"}, "json": {"name": "ci"}}
    first = await ask(live, token, "POST", "/v1/people/olga/tokens", **more)
    assert first.json()["plain"].startswith("shp_")
    second = await ask(live, token, "POST", "/v1/people/olga/tokens", **more)
    assert second.status_code == 409
    kept = await live.platform.database.rows("select body from access.answers")
    assert [row["body"] for row in kept] == [None]


async def test_what_failed_may_be_tried_again_with_the_same_key(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    more = {"headers": {"idempotency-key": "k1"}, "json": {"role": "viewer"}}
    missing = await ask(live, token, "PATCH", "/v1/people/cy", **more)
    assert missing.status_code == 404
    await live.token("cy", Role.DEVELOPER)
    assert (await ask(live, token, "PATCH", "/v1/people/cy", **more)).status_code == 200


async def test_a_request_that_is_too_large_is_refused(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    answer = await ask(live, token, "POST", "/v1/people", content=b"x" * 2_000_000)
    assert answer.status_code == 422
    assert "at most" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": {"a": 1}}'])
async def test_a_broken_body_is_a_problem(live: Live, body: bytes) -> None:
    token = await live.token("olga", Role.OWNER)
    answer = await ask(
        live,
        token,
        "POST",
        "/v1/people",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["title"] == "invalid"


async def test_unknown_paths_and_methods_are_problems(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    missing = await ask(live, token, "GET", "/v1/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "not found")
    wrong = await ask(live, token, "PUT", "/v1/people", json={})
    assert (wrong.status_code, wrong.json()["status"]) == (405, 405)


async def test_health_needs_no_token(live: Live) -> None:
    async with httpx2.AsyncClient(base_url=live.url, trust_env=False) as http:
        answer = await http.get("/health")
    assert answer.json() == {"status": "ok"}


async def test_the_description_names_every_path(live: Live) -> None:
    token = await live.token("olga", Role.OWNER)
    described = (await ask(live, token, "GET", "/v1/openapi.json")).json()
    assert "/v1/apps/{app}/environments/{environment}/rollback" in described["paths"]
    assert not [path for path in described["paths"] if path.startswith("/internal")]
