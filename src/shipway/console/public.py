"""The status page of an app, for everybody: what is up, and since when. It names no person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shipway.access.model import Caller, Role
from shipway.console import sharing
from shipway.console.page import Shown
from shipway.console.showing import Console
from shipway.kit import errors
from shipway.workflows import names

FRESH = 5.0
"""Seconds for which an answer is told to everybody who asks."""

READER = Caller("status page", Role.VIEWER, "")


class StatusPages:
    """The pages of the apps that `status_pages` of the settings names; of others, nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._looks: dict[str, tuple[float, asyncio.Task[Mapping[str, Any]]]] = {}

    async def show(self, request: Request) -> Response:
        app = request.path_params["app"]
        if app not in self._console.on.settings.status_pages:
            raise errors.NotFound("There is no such page.")
        facts = await asyncio.shield(self._look(app))
        return await self._console.html(
            request, "status.html", None, Shown(title=f"{app}: status", facts=facts)
        )

    def _look(self, app: str) -> asyncio.Task[Mapping[str, Any]]:
        """Return a look that is not older than it may be: however many ask, few look."""
        moment, task = self._looks.get(app, (0.0, None))
        if task is None or time.monotonic() - moment > FRESH:
            task = asyncio.create_task(self._facts(app))
            task.add_done_callback(sharing.heard)
            self._looks[app] = (time.monotonic(), task)
        return task

    async def _facts(self, app: str) -> Mapping[str, Any]:
        on = self._console.on
        live = await on.deployments.live(app, names.PRODUCTION)
        told = await self._console.door.ask(
            "GET", f"/v1/apps/{app}/environments/{names.PRODUCTION}", READER
        )
        instances = told["instances"]
        alive = sum(bool(one["alive"]) for one in instances)
        return {
            "name": app,
            "tone_": _tone(bool(live), len(instances), alive),
            "parts": _parts(len(instances), alive, told["database"]),
            "version": live.version if live else "",
            "since": (live.ended or live.started) if live else None,
        }


def _tone(is_live: bool, instances: int, alive: int) -> str:  # noqa: FBT001 -- a fact among facts
    if not is_live:
        return "quiet"
    if instances and not alive:
        return "bad"
    return "good" if alive == instances else "warn"


def _parts(instances: int, alive: int, database: str) -> Mapping[str, str]:
    parts = {}
    if instances:
        parts["Server"] = "up" if alive == instances else "down" if not alive else "running"
    if database.startswith("One node"):
        parts["Database"] = "down" if "down" in database else "up"
    return parts
