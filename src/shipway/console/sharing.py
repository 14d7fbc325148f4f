"""Looks at the records that several readers wait for."""

from __future__ import annotations

import asyncio
from typing import Any


def heard(look: asyncio.Task[Any]) -> None:
    """Take note of how a look ended: once everybody who waited for it has left, its error is
    nobody's."""
    if not look.cancelled():
        look.exception()
