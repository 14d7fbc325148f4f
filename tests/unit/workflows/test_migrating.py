from __future__ import annotations

import pytest

from shipway.workflows import migrating

LIVE = "postgresql://owner:secret@db.example.org:5433/shop"


@pytest.mark.parametrize(
    ("value", "leads"),
    [
        (LIVE, True),
        ("postgresql+asyncpg://another:word@db.example.org:5433/shop?ssl=true", True),
        ("postgres://me@db.example.org:5433/other", False),
        ("postgresql://me@/shop?host=/run/copy&port=5439", False),
        ("redis://db.example.org:5433/shop", False),
        ("postgresql://[", False),
        ("hello", False),
    ],
)
def test_what_leads_to_the_live_database_is_known(value: str, *, leads: bool) -> None:
    assert migrating._leads_to(LIVE, value) is leads


def test_a_socket_is_told_from_another() -> None:
    live = "postgresql://owner:a@/shop?host=/run/live&port=5432"
    assert migrating._leads_to(live, "postgresql://server:b@/shop?host=/run/live&port=5432")
    assert not migrating._leads_to(live, "postgresql://owner:a@/shop?host=/run/live&port=5439")
