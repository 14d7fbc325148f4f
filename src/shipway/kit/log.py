"""Shipway's own log: key-value lines, and no secret ever in them."""

from __future__ import annotations

import atexit
import io
import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any, TextIO, cast

import structlog

from shipway.kit.mask import Flow, Mask

Logger = structlog.stdlib.BoundLogger

_hidden = Mask()
"""What this process has sealed or opened. Of no use for what people of one app read: they could
try what the others have."""


def hide(texts: Iterable[str]) -> None:
    """Have these in no line that this process writes from now on, whichever part of it does."""
    _hidden.add(texts)


def configure() -> None:
    """Write key-value lines to standard error, and hide secrets in all that is written there and
    to standard output, also by libraries and in tracebacks. Call once, when a process starts."""
    sys.stderr = cast("TextIO", Masked(sys.stderr, _hidden))
    sys.stdout = cast("TextIO", Masked(sys.stdout, _hidden))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def get(name: str) -> Any:
    """Return the log of one part, named after it."""
    return structlog.get_logger(part=name)


class Masked(io.TextIOBase):
    """A stream that hides secrets on their way to another. A line waits for its end."""

    def __init__(self, stream: TextIO, mask: Mask) -> None:
        self._stream = stream
        self._flow = Flow(mask)
        self._writing = threading.RLock()
        atexit.register(self.close)

    def write(self, text: str) -> int:
        with self._writing:
            self._stream.write(self._flow.feed(text))
        return len(text)

    def flush(self) -> None:
        with self._writing:
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def close(self) -> None:
        """Tell the rest. The other stream stays open."""
        with self._writing:
            self._stream.write(self._flow.end())
            self._stream.flush()
