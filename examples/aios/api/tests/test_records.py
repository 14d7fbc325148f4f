"""Notes, tasks and events: what they share is tested on all three."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

NOTE = {"title": "Milk", "body": "Two litres"}
TASK = {"title": "Call the bank", "done": False, "due_on": "2026-12-01"}
EVENT = {"title": "Dentist", "starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T09:30:00Z"}
each_kind = pytest.mark.parametrize(
    ("path", "values"), [("/notes", NOTE), ("/tasks", TASK), ("/events", EVENT)]
)


def titles(client: TestClient, path: str) -> list[str]:
    return [item["title"] for item in client.get(path).json()["items"]]


@each_kind
def test_a_record_is_added_shown_rewritten_and_deleted(
    ada: TestClient, path: str, values: dict[str, Any]
) -> None:
    added = ada.post(path, json=values)
    assert added.status_code == 201
    assert values.items() <= added.json().items()
    address = f"{path}/{added.json()['id']}"
    assert ada.get(address).json() == added.json()

    rewritten = ada.put(address, json={**values, "title": "Changed"})
    assert rewritten.json() == {**added.json(), "title": "Changed"}

    assert ada.delete(address).status_code == 204
    assert ada.get(address).status_code == 404


@each_kind
def test_a_record_does_not_exist_for_another_person(
    ada: TestClient, bob: TestClient, path: str, values: dict[str, Any]
) -> None:
    address = f"{path}/{ada.post(path, json=values).json()['id']}"
    assert bob.get(address).status_code == 404
    assert bob.put(address, json=values).status_code == 404
    assert bob.delete(address).status_code == 404
    assert titles(bob, path) == []
    assert titles(ada, path) == [values["title"]]


@each_kind
def test_a_stranger_is_refused(stranger: TestClient, path: str, values: dict[str, Any]) -> None:
    assert stranger.get(path).status_code == 401
    assert stranger.post(path, json=values).status_code == 401


@each_kind
def test_pages_join_up_newest_first(ada: TestClient, path: str, values: dict[str, Any]) -> None:
    for number in range(5):
        ada.post(path, json={**values, "title": f"{number}"})
    seen: list[str] = []
    cursor: dict[str, int] = {}
    while True:
        page = ada.get(path, params={"limit": 2, **cursor}).json()
        seen += [item["title"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["4", "3", "2", "1", "0"]


@each_kind
@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "nul\0", "half of a pair \ud83d"])
def test_a_bad_title_is_the_persons_fault_not_ours(
    ada: TestClient, path: str, values: dict[str, Any], title: str
) -> None:
    # The standard library writes half a surrogate pair as an escape; the client's own encoder refuses it.
    content = json.dumps({**values, "title": title})
    assert ada.post(path, content=content, headers={"Content-Type": "application/json"}).status_code == 422


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "cursor=0", "cursor=9223372036854775808", "limit=many"]
)
def test_a_bad_page_is_refused(ada: TestClient, query: str) -> None:
    assert ada.get(f"/notes?{query}").status_code == 422


@pytest.mark.parametrize("row_id", ["0", "9223372036854775808", "first"])
def test_a_bad_row_number_is_refused(ada: TestClient, row_id: str) -> None:
    assert ada.get(f"/notes/{row_id}").status_code == 422


def test_tasks_are_filtered_by_whether_they_are_done(ada: TestClient) -> None:
    ada.post("/tasks", json={"title": "open"})
    ada.post("/tasks", json={"title": "closed", "done": True})
    assert titles(ada, "/tasks?done=false") == ["open"]
    assert titles(ada, "/tasks?done=true") == ["closed"]


def test_the_calendar_shows_what_touches_a_stretch_of_time(ada: TestClient) -> None:
    ada.post("/events", json=EVENT)
    assert titles(ada, "/events?since=2026-12-01T09:15:00Z&until=2026-12-02T00:00:00Z") == ["Dentist"]
    assert titles(ada, "/events?since=2026-12-01T09:45:00Z") == []
    assert titles(ada, "/events?until=2026-12-01T09:00:00Z") == []


@pytest.mark.parametrize(
    "change",
    [
        {"ends_at": "2026-12-01T08:59:59Z"},
        {"starts_at": "2026-12-01T09:00:00"},
        {"ends_at": "9999-12-31T23:59:59Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_an_impossible_event_is_refused(ada: TestClient, change: dict[str, str]) -> None:
    assert ada.post("/events", json=EVENT | change).status_code == 422


def test_an_unknown_address_answers_with_problem_details(stranger: TestClient) -> None:
    answer = stranger.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
