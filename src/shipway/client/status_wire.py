"""What `GET /v1/status` answers."""

from __future__ import annotations

from shipway.client.wire import Answer, Run


class Part(Answer):
    """One process of Shipway's own, as observed."""

    name: str
    up: bool
    sentence: str


class EnvironmentStatus(Answer):
    name: str
    version: str
    """Of the live release; empty when there is none."""
    sentence: str
    watch: str = ""
    """Why the live deployment is watched closely, and until when; empty: it is not."""
    instances: int
    alive: int
    addresses: tuple[str, ...]


class AppStatus(Answer):
    name: str
    last_run: Run | None
    environments: tuple[EnvironmentStatus, ...]


class Status(Answer):
    """Everything, as it is now."""

    version: str
    parts: tuple[Part, ...]
    apps: tuple[AppStatus, ...]

    @property
    def healthy(self) -> bool:
        return all(part.up for part in self.parts)
