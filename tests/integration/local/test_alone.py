"""`shipway dev` where only the command line is installed."""

from __future__ import annotations

import sys

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio

_WITHOUT = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(name)

MISSING = set(sys.argv[1:])
sys.meta_path.insert(0, Nothing())
from shipway.cli import main
import shipway.local.stack
main.shipway(["dev", "--help"])
"""


async def test_nothing_of_the_servers_is_imported() -> None:
    missing = (
        "psycopg", "psycopg_pool", "dbos", "fastapi", "starlette", "uvicorn", "structlog",
        "psutil", "cryptography", "nacl", "pydantic_settings", "obstore", "envoy", "watchfiles",
    )  # fmt: skip
    words = (sys.executable, "-P", "-c", _WITHOUT, *missing)
    done = await command.run(command.Command(argv=words, env=command.base_environment()))
    assert "Usage: shipway dev" in done.output or "dev [OPTIONS]" in done.output
