"""Envoy's admin interface over its Unix socket: what it took, how its pools are.

Envoy tells nobody when it has taken a file, so this is the one place that asks again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from shipway.kit import errors, http

ASK_EVERY = 0.02
"""Seconds between two looks at the admin interface."""

SUBSCRIPTIONS = r"^(listener_manager\.lds|cluster_manager\.cds|http\.edge\.rds\..*)\."

Stats = Mapping[str, int | str]


@dataclass(frozen=True)
class Subscription:
    """A watched file as Envoy sees it: the version in force and how many it has refused."""

    version: str = ""
    refused: int = 0


async def looking() -> AsyncIterator[None]:
    """Come round for another look, for ever: the caller bounds it by a time-out."""
    while True:
        yield
        await asyncio.sleep(ASK_EVERY)


@contextlib.asynccontextmanager
async def connect(socket: pathlib.Path) -> AsyncIterator[Admin]:
    """Speak to the Envoy whose admin socket this is."""
    async with http.client(base_url="http://envoy", socket=socket, timeout=5) as client:
        yield Admin(client)


class Admin:
    """Asks one Envoy. Every call raises `errors.Unavailable` when it does not answer."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def subscriptions(self) -> dict[str, Subscription]:
        """Return what Envoy knows of each watched file, by the name of its statistics."""
        found: dict[str, Subscription] = {}
        stats = await self.stats(f"{SUBSCRIPTIONS}(version_text|update_rejected|update_failure)$")
        for key in {name.rpartition(".")[0] for name in stats}:
            found[key] = Subscription(
                version=str(stats.get(f"{key}.version_text", "")),
                # Refused for what it says, or not even understood.
                refused=sum(
                    int(stats.get(f"{key}.{count}", 0))
                    for count in ("update_rejected", "update_failure")
                ),
            )
        return found

    async def stats(self, pattern: str) -> dict[str, int | str]:
        """Return the counters, gauges and texts whose names match."""
        answer = await self._ask("GET", "/stats", format="json", filter=pattern)
        return {
            entry["name"]: entry["value"] for entry in answer.json()["stats"] if "name" in entry
        }

    async def clusters(self) -> list[dict[str, Any]]:
        """Return every cluster with its hosts and their health."""
        answer = await self._ask("GET", "/clusters", format="json")
        found: list[dict[str, Any]] = answer.json().get("cluster_statuses", [])
        return found

    async def refusals(self) -> list[str]:
        """Return the reasons that Envoy still holds for refused listeners."""
        answer = await self._ask("GET", "/config_dump", resource="dynamic_listeners")
        states = (listener.get("error_state") for listener in answer.json().get("configs", []))
        return [state["details"] for state in states if state and state.get("details")]

    async def reopen_logs(self) -> None:
        """Have Envoy open its log files again, after they were renamed."""
        await self._ask("POST", "/reopen_logs")

    async def wait_live(self, timeout: float) -> None:
        """Return once Envoy answers and has taken its files."""
        async with self._within(timeout):
            async for _ in looking():
                with contextlib.suppress(errors.Unavailable):
                    answer = await self._ask("GET", "/ready", check=False)
                    if answer.status_code == 200:
                        return

    async def wait_taken(
        self,
        versions: Mapping[str, str],
        before: Mapping[str, Subscription],
        *,
        timeout: float,
    ) -> None:
        """Return once Envoy has these versions in force and nothing is still warming up.

        Raises `errors.Failed` when it refuses one.
        """
        async with self._within(timeout):
            async for _ in looking():
                if await self._taken(versions, before):
                    return

    async def _taken(self, versions: Mapping[str, str], before: Mapping[str, Subscription]) -> bool:
        now = await self.subscriptions()
        for name, version in versions.items():
            current = now.get(name, Subscription())
            if current.refused > before.get(name, Subscription()).refused:
                reasons = " ".join(dict.fromkeys(await self.refusals())) or "Its log says why."
                raise errors.Failed(f"Envoy refused the new table ({name}). {reasons}")
            if current.version != version:
                return False
        warming = await self.stats("warming")
        return not any(warming.values())

    @contextlib.asynccontextmanager
    async def _within(self, timeout: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout):
                yield
        except TimeoutError as error:
            raise errors.Unavailable(
                f"Envoy did not take its files within {timeout:g} seconds.",
                fix="See the log of the edge.",
            ) from error

    async def _ask(
        self, method: str, path: str, *, check: bool = True, **query: str
    ) -> httpx2.Response:
        try:
            answer = await self._client.request(method, path, params=query)
            return answer.raise_for_status() if check else answer
        except httpx2.HTTPError as error:
            raise errors.Unavailable(
                f"Envoy does not answer: {error}.", fix="See the log of the edge."
            ) from error
