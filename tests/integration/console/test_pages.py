"""What holds for every page: adding a folder adds it here."""

from __future__ import annotations

import json

import pytest
from tests.fakes.history import HOSTILE, Past
from tests.fakes.platform import Live
from tests.integration.console.conftest import Opens

from shipway.console import page

pytestmark = pytest.mark.anyio

PATHS = [found.path for found in page.every()]


def filled(path: str, past: Past) -> str:
    """Return the address of an example of a page."""
    names = {
        "app": "tiny", "run": past.runs[3], "release": "v2", "update": "upd_2", "person": "bo",
    }  # fmt: skip
    return f"/console{page.filled(path, names)}"


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_whole_and_safe(path: str, past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        answer = await browser.open(filled(path, past))
    assert answer.status_code == 200, answer.text[:2000]
    assert HOSTILE not in answer.text
    assert "<script>alert" not in answer.text
    assert " style=" not in answer.text, "the policy forbids styles within a page"
    assert " onclick=" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) < 150_000


@pytest.mark.parametrize("path", PATHS)
async def test_every_panel_can_be_had_by_programs(path: str, past: Past, as_: Opens) -> None:
    async with as_("olga") as browser:
        text = (await browser.open(filled(path, past))).text
        names = {part.split("&")[0] for part in text.split("?panel=")[1:]}
        for name in names:
            told = await browser.open(f"{filled(path, past)}?panel={name}&as=json")
            assert isinstance(json.loads(told.text), list)
            table = await browser.open(f"{filled(path, past)}?panel={name}&as=csv")
            assert table.headers["content-type"].startswith("text/csv")
            assert len(table.text.splitlines()) >= bool(json.loads(told.text))


@pytest.mark.parametrize(
    "path", [path for path in PATHS if "{" not in path or path == "/apps/{app}"]
)
async def test_a_page_without_anything_says_what_to_do(path: str, live: Live, as_: Opens) -> None:
    await live.platform.people.first_owner()
    await live.platform.apps.create("tiny", "owner")
    async with as_("owner") as browser:
        answer = await browser.open(f"/console{page.filled(path, {'app': 'tiny'})}")
    assert answer.status_code == 200, answer.text[:2000]


@pytest.mark.parametrize("path", PATHS)
async def test_a_viewer_is_offered_nothing_in_vain(path: str, past: Past, as_: Opens) -> None:
    async with as_("vera") as browser:
        answer = await browser.open(filled(path, past))
        deeds = {form.fields["deed"] for form in browser.forms() if "deed" in form.fields}
    assert answer.status_code in {200, 403}
    assert deeds <= {"set_password", "end_session", "issue_token", "revoke_token"}
