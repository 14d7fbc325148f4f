"""What each part of the client asks by: one request, and one answer of a known shape."""

from __future__ import annotations

import abc
from typing import TypeVar

import pydantic

Answer = TypeVar("Answer", bound=pydantic.BaseModel)


class Asking(abc.ABC):
    """The parts of the client speak through this; the client itself knows how."""

    @abc.abstractmethod
    async def _ask(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: pydantic.BaseModel | dict[str, str] | None = None,
    ) -> Answer:
        """Ask, and return the answer. Raises `errors.ShipwayError` for what the server refuses."""

    @abc.abstractmethod
    async def _put(self, path: str, data: bytes) -> None:
        """Send a file."""
