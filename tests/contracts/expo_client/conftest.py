from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fakes.second_opinion import npm


@pytest.fixture(scope="session")
def node() -> Iterator[npm.Node]:
    asked = npm.Node()
    yield asked
    asked.close()
