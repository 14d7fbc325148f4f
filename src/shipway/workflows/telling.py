"""What happened becomes an event of the record and a message to those who want to know."""

from __future__ import annotations

from typing import Any

from shipway.releases.model import Deployment, Release
from shipway.workflows.platform import Platform


async def tell(
    on: Platform,
    about: Release | Deployment,
    event: str,
    sentence: str,
    **evidence: Any,
) -> None:
    """Record an event and put it into the outbox, once: what it is about and its name are the key."""
    key = f"{about.id}:{event}"
    await on.releases.tell(
        key, app=about.app, subject=about.id, sentence=sentence, evidence=evidence
    )
    await on.outbox.put(
        event, app=about.app, subject=about.id, sentence=sentence, evidence=evidence
    )
