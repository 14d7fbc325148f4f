"""Shipway's own log: key-value lines, and no secret ever in them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger


class Mask:
    """Replaces every secret that it has been told of by ``***``.

    Only values of eight characters and more are masked: shorter ones would eat ordinary words.
    """

    SHORTEST = 8

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        lines = (line for secret in secrets for line in (secret, *secret.splitlines()))
        # Longest first, so that a secret which contains another is masked whole.
        self._secrets = sorted({s for s in lines if len(s) >= self.SHORTEST}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def configure(*, mask: Mask | None = None, stream: Any = None) -> None:
    """Write key-value lines to standard error. Call once, when a process starts."""
    hide = mask or Mask()

    def masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {
            key: hide(value) if isinstance(value, str) else value for key, value in event.items()
        }

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            masked,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=stream or sys.stderr),
    )


def get(name: str) -> Any:
    """Return the log of one part, named after it."""
    return structlog.get_logger(part=name)
