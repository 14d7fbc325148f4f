"""Whatever is sent, the answer is a problem in words, and never that Shipway broke."""

from __future__ import annotations

import httpx2
import pytest
from tests.fakes.platform import Live

from shipway.access.model import Role

pytestmark = pytest.mark.anyio

WEIRD = [
    "\0",
    "'; drop table access.people; --",
    "../../../../etc/passwd",
    "%2e%2e%2f",
    "ä" * 300,
    "\u202e\u0007",
    "a" * 5000,
    "{{7*7}}",
    " ",
]

READS = [
    "/v1/apps/{}",
    "/v1/apps/{}/runs",
    "/v1/apps/{}/releases/{}",
    "/v1/apps/tiny/releases/{}",
    "/v1/apps/tiny/environments/{}",
    "/v1/apps/tiny/environments/staging/deployments/{}",
    "/v1/apps/tiny/runs?after={}",
    "/v1/apps/tiny/releases?after={}",
    "/v1/apps/tiny/environments/staging/deployments?after={}",
    "/v1/apps?after={}&limit=1",
    "/v1/apps?limit={}",
    "/v1/apps/tiny/difference?left={}&right=staging",
    "/v1/runs/{}",
    "/v1/runs/{}/events?after={}",
    "/v1/runs/{}/steps/{}/log",
    "/v1/people/{}/tokens",
    "/v1/audit?after={}",
]

WRITES = [
    ("POST", "/v1/apps", {"name": "WEIRD"}),
    ("POST", "/v1/people", {"name": "WEIRD", "role": "viewer", "emails": ["WEIRD"]}),
    ("POST", "/v1/people", {"name": "cy", "role": "WEIRD"}),
    ("PATCH", "/v1/people/olga", {"emails": ["WEIRD"]}),
    ("POST", "/v1/people/olga/tokens", {"name": "WEIRD"}),
    ("PUT", "/v1/apps/tiny/environments/staging/variables/{}", {"value": "WEIRD"}),
    ("PUT", "/v1/apps/tiny/environments/staging/variables/KEY", {"value": "WEIRD"}),
    ("POST", "/v1/apps/tiny/environments/{}/approvals", {"release": "WEIRD", "reason": "WEIRD"}),
    ("POST", "/v1/apps/tiny/environments/staging/rollback", {"to": "WEIRD", "reason": "WEIRD"}),
    ("POST", "/v1/apps/tiny/environments/staging/deployments", {"release": "WEIRD"}),
    ("POST", "/v1/apps/tiny/channels", {"kind": "webhook", "target": "WEIRD"}),
    ("DELETE", "/v1/apps/{}", None),
    ("POST", "/v1/runs/{}/cancel", {}),
]


@pytest.fixture
async def http(live: Live) -> httpx2.AsyncClient:
    await live.platform.apps.create("tiny", "olga")
    headers = {"authorization": f"Bearer {await live.token('olga', Role.OWNER)}"}
    return httpx2.AsyncClient(base_url=live.url, headers=headers, trust_env=False)


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def with_weird(body: object, weird: str) -> object:
    if isinstance(body, dict):
        return {name: with_weird(value, weird) for name, value in body.items()}
    if isinstance(body, list):
        return [with_weird(value, weird) for value in body]
    return weird if body == "WEIRD" else body


async def test_reads(http: httpx2.AsyncClient) -> None:
    async with http:
        for path in READS:
            for weird in WEIRD:
                answer = await http.get(path.replace("{}", quoted(weird)))
                assert answer.status_code < 500, (path, weird, answer.text)


async def test_writes(http: httpx2.AsyncClient) -> None:
    async with http:
        for method, path, body in WRITES:
            for weird in [*WEIRD, "\ud800"]:
                where = path.replace("{}", quoted(weird.replace("\ud800", "x")))
                sent = with_weird(body, weird)
                answer = await http.request(
                    method,
                    where,
                    content=b"" if sent is None else httpx2_json(sent),
                    headers={"content-type": "application/json"},
                )
                assert answer.status_code < 500, (path, weird, answer.text)


def httpx2_json(value: object) -> bytes:
    import json  # noqa: PLC0415 -- httpx2 refuses to write a lone surrogate

    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"name":' * 50_000, b"1" * 10_000, b'{"name": NaN}', b'"\\ud800"']
)
async def test_bodies(http: httpx2.AsyncClient, body: bytes) -> None:
    async with http:
        answer = await http.post(
            "/v1/people", content=body, headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic eA==", "Bearer \xff", "bearer shp_", "Bearer " + "x" * 5000],
)
async def test_headers(live: Live, header: str) -> None:
    async with httpx2.AsyncClient(base_url=live.url, trust_env=False) as http:
        answer = await http.get("/v1/me", headers=[(b"authorization", header.encode("latin-1"))])
        assert answer.status_code == 401
        assert answer.json()["title"] == "unknown"


@pytest.mark.parametrize(
    "path",
    [
        "/git/",
        "/git/tiny.git",
        "/git/tiny.git/HEAD",
        "/git/tiny.git/info/refs",
        "/git/tiny.git/info/refs?service=git-evil",
        "/git/../../etc.git/info/refs?service=git-upload-pack",
        "/git/%2e%2e%2ftiny.git/info/refs?service=git-upload-pack",
        "/git/tiny.git%00/info/refs?service=git-upload-pack",
    ],
)
async def test_git_paths(http: httpx2.AsyncClient, path: str) -> None:
    async with http:
        answer = await http.get(path)
        assert 400 <= answer.status_code < 500, answer.text
