"""Servers in Node that nobody wrote for Shipway, each with the shipway.toml that `init` proposes.

`./dev test` delivers two of them, `./dev soak` sets ``SHIPWAY_STRANGERS`` and delivers all.
"""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass

import pytest
from demo.stage import Stage

from shipway.kit import http

APPS = pathlib.Path(__file__).parents[1] / "apps"
ALL = bool(os.environ.get("SHIPWAY_STRANGERS"))

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900), pytest.mark.xdist_group("tiny")]


@dataclass(frozen=True)
class Stranger:
    """A server of tests/apps, the path that says how it is and what that answers."""

    app: str
    health: str
    answer: dict[str, object]
    has_head: bool = True


STRANGERS = [
    # TypeScript compiled by its own build; Drizzle; a file read from where it is started.
    Stranger("express-drizzle", "/api/v1/healthz", {"words": "hello from a file", "notes": 0}),
    # pnpm, a package with native parts, a file of a package, no database.
    Stranger("hono-native", "/status", {"hashed": True, "types": True}, has_head=False),
    # CommonJS, node-pg-migrate, --legacy-peer-deps as its Dockerfile says.
    Stranger("express-cjs", "/ready", {"notes": 0}),
    # Yarn, plain SQL run by a program of its own.
    Stranger("koa-sql", "/healthcheck", {"notes": 0}),
    # npm workspaces, Knex, its own Node, and an await where a module begins.
    Stranger("fastify-workspaces", "/health", {"words": "hello workspaces", "notes": 0}),
]


@pytest.mark.parametrize(
    "stranger", STRANGERS if ALL else STRANGERS[:2], ids=lambda stranger: stranger.app
)
async def test_a_strangers_server_is_delivered_as_it_is(tiny: Stage, stranger: Stranger) -> None:
    stage = tiny.beside(APPS / stranger.app, stranger.app)
    await stage.create_app()

    await stage.deliver()

    async with stage.api() as api:
        release = (await api.releases(stage.app, limit=1)).items[0]
    assert bool(release.schema_head) == stranger.has_head
    async with http.client(
        base_url=stage.url("staging"), ca_file=stage.ca_file, address=stage.edge
    ) as client:
        answer = await client.get(stranger.health)
    assert answer.status_code == 200
    told = answer.json()
    if stranger.app == "fastify-workspaces":
        assert told.pop("node").startswith("v22.")
    assert told == stranger.answer
